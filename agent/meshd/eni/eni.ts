/** Makes, adopts and changes one ENI (ephemeral network interface): tunnel, keys, address, MTU, shaper, reverse-path filter. */
import { writeFile } from "node:fs/promises";
import { z } from "zod";
import { EphemeshError } from "../../model/errors.ts";
import type { Batch } from "../kernel/batch.ts";
import { command, commandJson, garbage } from "../kernel/commands.ts";
import { type BuyerShare, meshIndexesOf, shapingLines } from "../shaping/htb.ts";
import { bringUpLines, endpointText, type TunnelConfig } from "./configure.ts";
import type { FoundTunnel } from "./found.ts";
import { loosenReversePath, type SendRedirects } from "./sysctl.ts";
import { makeTunnel, removeTunnel, type WireguardKind } from "./tunnel-device.ts";
import { setKeys } from "./wireguard.ts";

export interface WantedEni {
  readonly device: string;
  readonly ownAddress: string;
  readonly mtu: number;
  readonly shares: readonly BuyerShare[];
  /** Null: this process does not hold the keys, and can only adopt a running tunnel. */
  readonly config: TunnelConfig | null;
}

export interface EniTools {
  readonly kind: WireguardKind;
  readonly ip: Batch;
  readonly tc: Batch;
  readonly redirects: SendRedirects;
  /** Resolves when the nftables guard and the routes to the endpoints are in place: no interface is set up before. */
  readonly guarded: Promise<unknown>;
}

/**
 * Brings an ENI up, adopting a running tunnel with the right peer. A tunnel that was made here is removed on failure.
 * @throws EphemeshError INTERFACE_NAME_TAKEN, LINK_NOT_PREPARED, and what tunnel, shaper and kernel refuse
 */
export async function bringUpEni(
  wanted: WantedEni,
  found: FoundTunnel | undefined,
  tools: EniTools,
): Promise<"made" | "adopted"> {
  const { device } = wanted;
  if (found && !found.isOurs) throw nameTaken(device);
  const runs = found?.peerPublicKey && (!wanted.config || found.peerPublicKey === wanted.config.peerPublicKey);
  let isMade = false;
  try {
    if (runs) await shape(tools.tc, device, wanted.shares);
    else {
      if (!wanted.config) throw notPrepared(device);
      if (found) await removeTunnel(device);
      const rateMbps = wanted.shares.reduce((sum, share) => sum + share.rateMbps, 0);
      await makeTunnel(device, tools.kind, rateMbps);
      isMade = true;
      for (const batch of [tools.ip, tools.tc]) batch.addDevice(device);
      const fresh = tools.tc.run(shapingLines(device, wanted.shares, [], true));
      await Promise.all([setKeys(device, wanted.config, tools.kind), fresh]);
    }
    await loosenReversePath(device);
    await writeFile(`/proc/sys/net/ipv4/conf/${device}/forwarding`, "1");
    await tools.guarded;
    await tools.redirects.preserve(() => tools.ip.run(bringUpLines(device, wanted.ownAddress, wanted.mtu)));
    return runs ? "adopted" : "made";
  } catch (error) {
    // Only what was made here: a tunnel that was not found before may carry traffic.
    if (isMade) await removeTunnel(device).catch(() => {});
    throw error;
  }
}

function nameTaken(device: string): EphemeshError {
  return new EphemeshError(
    "INTERFACE_NAME_TAKEN",
    `Interface ${device} exists and is not a tunnel of ours. It was left unchanged, and the link was not made.`,
    "Rename or delete that interface; meshd tries again by itself.",
    { retryable: true },
  );
}

/** Updates the shaper to these shares, and removes the classes of other buyers. */
export async function shape(tc: Batch, device: string, shares: readonly BuyerShare[]): Promise<void> {
  const found = await foundShaper(device);
  const wanted = new Set(shares.map(({ meshIndex }) => meshIndex));
  const gone = found?.meshIndexes.filter((meshIndex) => !wanted.has(meshIndex)) ?? [];
  await tc.run(shapingLines(device, shares, gone, found === null));
}

const qdiscs = z.array(z.object({ kind: z.string(), handle: z.string(), root: z.boolean().optional() })).min(1);

/** The mesh indexes that have classes; null: the device has no shaper of ours. (`tc class` has no JSON output.) */
async function foundShaper(device: string): Promise<{ readonly meshIndexes: readonly number[] } | null> {
  const found = await commandJson("tc", ["-j", "qdisc", "show", "dev", device], qdiscs);
  if (!found.some(({ kind, handle, root }) => root && kind === "htb" && handle === "1:")) return null;
  const args = ["class", "show", "dev", device];
  const text = await command("tc", args);
  const lines = text.split("\n").filter((line) => line !== "");
  if (!lines.every((line) => line.startsWith("class htb 1:"))) throw garbage("tc", args);
  return { meshIndexes: meshIndexesOf(lines) };
}

/** Changes the peer's outer address without a new handshake. */
export async function moveEndpoint(
  device: string,
  peerPublicKey: string,
  endpoint: TunnelConfig["endpoint"],
): Promise<void> {
  await command("wg", ["set", device, "peer", peerPublicKey, "endpoint", endpointText(endpoint)]);
}

function notPrepared(device: string): EphemeshError {
  return new EphemeshError(
    "LINK_NOT_PREPARED",
    `Interface ${device} does not exist, and meshd does not hold its keys, or no longer.`,
    "Start the next attempt of the handshake: prepareLink, completeLink, applyMesh.",
  );
}
