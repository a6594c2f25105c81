/** One way to speak to a tunnel, whoever runs it. */
import { command, withSecretFile } from "../commands.ts";
import { type TunnelConfig, wireguardConfig } from "./configure.ts";
import type { WireguardKind } from "./tunnel-device.ts";
import { peerOfTunnel, setTunnel } from "./uapi.ts";

/** Also for a standing tunnel: it forgets its sessions and begins a new handshake with the next packet. */
export async function setKeys(device: string, config: TunnelConfig, kind: WireguardKind): Promise<void> {
  if (kind === "userspace") await setTunnel(device, config);
  else await withSecretFile(wireguardConfig(config), (path) => command("wg", ["setconf", device, path]));
}

/** Public keys of the peers that run, base64, by device; a device that does not answer is left out. */
export async function runningPeers(
  devices: readonly string[],
  kind: WireguardKind,
): Promise<ReadonlyMap<string, string>> {
  if (devices.length === 0) return new Map();
  if (kind === "kernel") return parsePeers(await command("wg", ["show", "all", "peers"]));
  const found = await Promise.all(
    devices.map(async (device) => [device, await peerOfTunnel(device).catch(() => null)] as const),
  );
  return new Map(
    found.flatMap(([device, key]) => (key === null ? [] : [[device, Buffer.from(key, "hex").toString("base64")]])),
  );
}

function parsePeers(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split("\n").flatMap((line): [string, string][] => {
      const [device = "", key] = line.split("\t");
      return key === undefined || key === "" ? [] : [[device, key]];
    }),
  );
}
