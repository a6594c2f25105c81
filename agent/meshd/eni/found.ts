/** Finds meshd's tunnels in the kernel, also those of an earlier run, which a restart adopts. */
import { z } from "zod";
import { commandJson } from "../kernel/commands.ts";
import { DEVICE_PATTERN } from "../kernel/marks.ts";
import type { WireguardKind } from "./tunnel-device.ts";
import { runningPeers } from "./wireguard.ts";

export interface FoundDevice {
  readonly device: string;
  readonly up: boolean;
  /** False: it has a name of ours, but is not a tunnel; it is never changed. */
  readonly isOurs: boolean;
}

export interface FoundTunnel extends FoundDevice {
  /** Base64; null: not configured yet, its process ended, or it is not ours. */
  readonly peerPublicKey: string | null;
}

/** There is always the loopback device. */
const links = z
  .array(
    z.object({
      ifname: z.string().optional(),
      flags: z.array(z.string()).optional(),
      linkinfo: z
        .object({
          info_kind: z.string().optional(),
          info_data: z.object({ persist: z.boolean().optional() }).optional(),
        })
        .optional(),
    }),
  )
  .min(1);

/** Names of meshd's tunnels. */
export async function ourDevices(): Promise<readonly string[]> {
  return (await foundDevices()).filter(({ isOurs }) => isOurs).map(({ device }) => device);
}

/** By device, with the public key of the running peer. */
export async function foundTunnels(kind: WireguardKind): Promise<ReadonlyMap<string, FoundTunnel>> {
  const devices = await foundDevices();
  const peers = await runningPeers(
    devices.filter(({ isOurs }) => isOurs).map(({ device }) => device),
    kind,
  );
  return new Map(devices.map((found) => [found.device, { ...found, peerPublicKey: peers.get(found.device) ?? null }]));
}

/** All interfaces with a name of ours. */
async function foundDevices(): Promise<readonly FoundDevice[]> {
  const found = await commandJson("ip", ["-j", "-d", "link", "show"], links);
  return found.flatMap(({ ifname, flags, linkinfo }) =>
    ifname !== undefined && DEVICE_PATTERN.test(ifname)
      ? [{ device: ifname, up: flags?.includes("UP") === true, isOurs: isTunnel(linkinfo) }]
      : [],
  );
}

/** Kernel WireGuard, or a TUN device that ends with its process. */
function isTunnel(info: z.infer<typeof links>[number]["linkinfo"]): boolean {
  return info?.info_kind === "wireguard" || (info?.info_kind === "tun" && info.info_data?.persist !== true);
}
