/** Configures a tunnel and reads its peer, in the kernel or in user space. */
import { command, garbage, withSecretFile } from "../kernel/commands.ts";
import { type TunnelConfig, wireguardConfig } from "./configure.ts";
import type { WireguardKind } from "./tunnel-device.ts";
import { peerOfTunnel, setTunnel } from "./uapi.ts";

/** On a running tunnel this drops its sessions, and the next packet starts a new handshake. */
export async function setKeys(device: string, config: TunnelConfig, kind: WireguardKind): Promise<void> {
  if (kind === "userspace") await setTunnel(device, config);
  else await withSecretFile(wireguardConfig(config), (path) => command("wg", ["setconf", device, path]));
}

/** Public keys of the running peers, base64, by device; a device that does not answer is left out. */
export async function runningPeers(
  devices: readonly string[],
  kind: WireguardKind,
): Promise<ReadonlyMap<string, string>> {
  if (devices.length === 0) return new Map();
  if (kind === "kernel") return kernelPeers(devices);
  const found = await Promise.all(
    devices.map(async (device) => [device, await peerOfTunnel(device).catch(() => null)] as const),
  );
  return new Map(
    found.flatMap(([device, key]) => (key === null ? [] : [[device, Buffer.from(key, "hex").toString("base64")]])),
  );
}

/** A device that is not configured prints no line, but so does a tool that fails silently: hence the second query. */
async function kernelPeers(devices: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const args = ["show", "all", "peers"];
  const output = await command("wg", args);
  const peers = new Map(
    linesOf(output).map((line): [string, string] => {
      const [device = "", key = ""] = line.split("\t");
      if (!KEY.test(key)) throw garbage("wg", args);
      return [device, key];
    }),
  );
  for (const device of devices.filter((each) => !peers.has(each))) {
    const peer = await peerOf(device);
    if (peer !== null) peers.set(device, peer);
  }
  return peers;
}

const KEY = /^[A-Za-z0-9+/]{43}=$/;
const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

/** Reads the device's own key first: that output is never empty, which proves that the tool works. */
async function peerOf(device: string): Promise<string | null> {
  for (const what of ["public-key", "peers"]) {
    const args = ["show", device, what];
    const output = await command("wg", args);
    const [key, ...more] = linesOf(output);
    const isNone = what === "peers" ? key === undefined : key === "(none)";
    if (more.length > 0 || !(isNone || KEY.test(key ?? ""))) throw garbage("wg", args);
    if (what === "peers") return key ?? null;
  }
  return null;
}
