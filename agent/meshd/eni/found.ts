/** Which tunnels of ours are in the kernel, whoever made them: a restart adopts what it finds. */
import { z } from "zod";
import { commandJson } from "../commands.ts";
import { DEVICE_PATTERN } from "../marks.ts";
import type { WireguardKind } from "./tunnel-device.ts";
import { runningPeers } from "./wireguard.ts";

export interface FoundTunnel {
  readonly device: string;
  readonly up: boolean;
  /** Base64; null: not configured yet, or its process is dead. */
  readonly peerPublicKey: string | null;
}

const links = z.array(z.object({ ifname: z.string().optional(), flags: z.array(z.string()).optional() }));

export async function foundDevices(): Promise<readonly { readonly device: string; readonly up: boolean }[]> {
  const found = links.parse(await commandJson("ip", ["-j", "link", "show"]));
  return found.flatMap(({ ifname, flags }) =>
    ifname !== undefined && DEVICE_PATTERN.test(ifname) ? [{ device: ifname, up: flags?.includes("UP") === true }] : [],
  );
}

export async function foundTunnels(kind: WireguardKind): Promise<ReadonlyMap<string, FoundTunnel>> {
  const devices = await foundDevices();
  const peers = await runningPeers(
    devices.map(({ device }) => device),
    kind,
  );
  return new Map(devices.map(({ device, up }) => [device, { device, up, peerPublicKey: peers.get(device) ?? null }]));
}
