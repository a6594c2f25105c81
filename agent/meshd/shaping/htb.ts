/**
 * What a link sends, shaped on the ENI, where a packet is what the lease counts: inner IP bytes. Packets get their
 * class from nftables as priority (`major:minor`), which HTB takes without any filter of its own.
 */
import type { RegionId } from "../../model/ids.ts";

/** Probes and link state, above everything. */
export const PROBE_CLASS = "1:1";
/** What is of no buyer: the agents' control channel inside the ENI. */
export const CONTROL_CLASS = "1:2";
const CONTROL_KBIT = 1_000;

/** Delay that a full queue adds at the leased rate. */
const QUEUE_MILLIS = 60;
const LEAST_QUEUE_BYTES = 32_768;

export interface BuyerShare {
  readonly buyer: RegionId;
  /** Number of the buyer in the mesh, see marks.ts. */
  readonly slot: number;
  readonly rateMbps: number;
}

/** The class of one buyer on every link; the three traffic classes of a buyer will stand under it. */
export const buyerClass = (slot: number): string => `1:${(0x100 + slot).toString(16)}`;

/** For `tc -batch -`. `fresh`: there is no shaper yet. Buyers whose share went away leave. */
export function shapingLines(
  device: string,
  shares: readonly BuyerShare[],
  goneSlots: readonly number[],
  fresh: boolean,
): readonly string[] {
  return [
    ...(fresh ? [`qdisc replace dev ${device} root handle 1: htb default ${CONTROL_CLASS.slice(2)}`] : []),
    ...classLines(device, PROBE_CLASS, { kbit: CONTROL_KBIT, prio: 0 }),
    ...classLines(device, CONTROL_CLASS, { kbit: CONTROL_KBIT, prio: 1 }),
    ...shares.flatMap((share) => classLines(device, buyerClass(share.slot), { kbit: share.rateMbps * 1000, prio: 2 })),
    ...goneSlots.map((slot) => `class del dev ${device} classid ${buyerClass(slot)}`),
  ];
}

function classLines(device: string, id: string, { kbit, prio }: { kbit: number; prio: number }): readonly string[] {
  const queueBytes = Math.max(LEAST_QUEUE_BYTES, Math.round((kbit * QUEUE_MILLIS) / 8));
  // A burst of 2 ms at the rate lets the timer be late without losing rate; two packets at least.
  const burstBytes = Math.max(3_200, Math.round((kbit * 2) / 8));
  return [
    `class replace dev ${device} parent 1: classid ${id} htb rate ${kbit}kbit ceil ${kbit}kbit burst ${burstBytes} cburst ${burstBytes} quantum 3000 prio ${prio}`,
    `qdisc replace dev ${device} parent ${id} bfifo limit ${queueBytes}`,
  ];
}
