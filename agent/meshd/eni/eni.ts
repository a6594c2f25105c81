/** Makes, adopts, changes and removes one ENI: tunnel, keys, address, MTU, shaper, reverse-path setting. */
import { writeFile } from "node:fs/promises";
import { EphemeshError } from "../../model/errors.ts";
import type { Batch } from "../batch.ts";
import { command } from "../commands.ts";
import { type BuyerShare, shapingLines } from "../shaping/htb.ts";
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
  /** Null: this process does not hold the keys, only a running tunnel can serve. */
  readonly config: TunnelConfig | null;
}

export interface EniTools {
  readonly kind: WireguardKind;
  readonly ip: Batch;
  readonly tc: Batch;
  readonly redirects: SendRedirects;
  /** Resolves when the guard stands and the endpoints have their routes: nothing comes up before. */
  readonly guarded: Promise<unknown>;
}

/**
 * Brings it up from whatever is there. On a failure nothing half-made stays.
 * @throws EphemeshError INTERFACE_NAME_TAKEN, LINK_NOT_PREPARED, and what the kernel refuses
 */
export async function bringUpEni(
  wanted: WantedEni,
  found: FoundTunnel | undefined,
  tools: EniTools,
): Promise<"made" | "adopted"> {
  const { device } = wanted;
  if (found && !found.isOurs) throw nameTaken(device);
  const runs = found?.peerPublicKey && (!wanted.config || found.peerPublicKey === wanted.config.peerPublicKey);
  try {
    if (found && !runs) await removeTunnel(device);
    if (runs) await shape(tools.tc, device, wanted.shares, []);
    else await make(wanted, tools);
    await loosenReversePath(device);
    await writeFile(`/proc/sys/net/ipv4/conf/${device}/forwarding`, "1");
    await tools.guarded;
    await tools.redirects.kept(() => tools.ip.run(bringUpLines(device, wanted.ownAddress, wanted.mtu)));
    return runs ? "adopted" : "made";
  } catch (error) {
    if (!runs) await removeTunnel(device).catch(() => {});
    throw error;
  }
}

function nameTaken(device: string): EphemeshError {
  return new EphemeshError(
    "INTERFACE_NAME_TAKEN",
    `Interface ${device} is there already and is no tunnel of ours. It was left as it is, and the link was not made.`,
    "Rename or delete that interface; meshd tries again by itself.",
    { retryable: true },
  );
}

/** What a standing shaper needs to become what is wanted. */
export async function shape(
  tc: Batch,
  device: string,
  shares: readonly BuyerShare[],
  gone: readonly number[],
): Promise<void> {
  const before = await command("tc", ["qdisc", "show", "dev", device]);
  await setShaper(tc, device, shares, gone, !/^qdisc htb 1: root/m.test(before));
}

export async function moveEndpoint(
  device: string,
  peerPublicKey: string,
  endpoint: TunnelConfig["endpoint"],
): Promise<void> {
  await command("wg", ["set", device, "peer", peerPublicKey, "endpoint", endpointText(endpoint)]);
}

/** All but *up*. */
async function make(wanted: WantedEni, { kind, ip, tc }: EniTools): Promise<void> {
  const { device, config } = wanted;
  if (!config) {
    throw new EphemeshError(
      "LINK_NOT_PREPARED",
      `Interface ${device} is not there, and meshd does not hold its keys (any more).`,
      "Begin the next attempt of the handshake: prepareLink, completeLink, applyMesh.",
    );
  }
  await makeTunnel(device, kind);
  for (const batch of [ip, tc]) batch.isNew(device);
  await Promise.all([setKeys(device, config, kind), setShaper(tc, device, wanted.shares, [], true)]);
}

async function setShaper(
  tc: Batch,
  device: string,
  shares: readonly BuyerShare[],
  gone: readonly number[],
  fresh: boolean,
): Promise<void> {
  await tc.run(shapingLines(device, shares, gone, fresh));
}
