/**
 * Shapes what a link sends on its ENI (ephemeral network interface), where packet sizes are those of the lease: inner IP
 * bytes. nftables sets the class as packet priority (`major:minor`), so that HTB needs no filters.
 */
import type { RegionId } from "../../model/ids.ts";
import { TRAFFIC_CLASSES, type TrafficClass } from "../../model/traffic-class.ts";

/** Probes and link state, with the highest priority. */
export const PROBE_CLASS = "1:1";
/** Traffic of no buyer: the agents' control channel inside the ENI. */
export const CONTROL_CLASS = "1:2";
const CONTROL_KBIT = 1_000;

/**
 * Guaranteed part of the lease for each class; any class may use the whole lease, in order of priority. Bulk keeps a
 * little, so that its connections survive a flood of the others.
 */
const GUARANTEED: Readonly<Record<TrafficClass, number>> = { critical: 0.2, interactive: 0.75, bulk: 0.05 };

/** Delay of a full queue at the leased rate. */
const QUEUE_MILLIS: Readonly<Record<TrafficClass, number>> = { critical: 20, interactive: 40, bulk: 60 };
const MIN_QUEUE_BYTES = 32_768;

export interface BuyerShare {
  readonly buyer: RegionId;
  /** See marks.ts. */
  readonly meshIndex: number;
  readonly rateMbps: number;
}

/** The class of one buyer with the rate of its lease, parent of its three traffic classes. */
const buyerClass = (meshIndex: number): string => `1:${(0x100 + meshIndex).toString(16)}`;
const BUYER_CLASS = /^class htb 1:(1[0-9a-f]{2}|[2-4][0-9a-f]{2}) /;
/** The mesh indexes of the classes in the output of `tc class show`. */
export const meshIndexesOf = (lines: readonly string[]): readonly number[] =>
  lines.flatMap((line) => {
    const [, minor] = BUYER_CLASS.exec(line) ?? [];
    return minor === undefined ? [] : [Number.parseInt(minor, 16) - 0x100];
  });
/** Handle of the HTB class in which packets of one traffic class of a buyer wait. */
export const leafClass = (meshIndex: number, trafficClass: TrafficClass): string =>
  `1:${(0x2000 + 4 * meshIndex + TRAFFIC_CLASSES.indexOf(trafficClass)).toString(16)}`;

/** For `tc -batch -`. `fresh`: the device has no shaper yet. `goneIndexes`: buyers without a share any more. */
export function shapingLines(
  device: string,
  shares: readonly BuyerShare[],
  goneIndexes: readonly number[],
  fresh: boolean,
): readonly string[] {
  return [
    ...(fresh ? [`qdisc replace dev ${device} root handle 1: htb default ${CONTROL_CLASS.slice(2)}`] : []),
    ...leafLines(device, PROBE_CLASS, "1:", { kbit: CONTROL_KBIT, ceil: CONTROL_KBIT, prio: 0, millis: 60 }),
    ...leafLines(device, CONTROL_CLASS, "1:", { kbit: CONTROL_KBIT, ceil: CONTROL_KBIT, prio: 1, millis: 60 }),
    ...shares.flatMap((share) => buyerLines(device, share)),
    ...goneIndexes.flatMap((meshIndex) => [
      ...TRAFFIC_CLASSES.map((each) => `class del dev ${device} classid ${leafClass(meshIndex, each)}`),
      `class del dev ${device} classid ${buyerClass(meshIndex)}`,
    ]),
  ];
}

function buyerLines(device: string, { meshIndex, rateMbps }: BuyerShare): readonly string[] {
  const kbit = rateMbps * 1000;
  return [
    classLine(device, buyerClass(meshIndex), "1:", { kbit, ceil: kbit }),
    ...TRAFFIC_CLASSES.flatMap((each, index) =>
      leafLines(device, leafClass(meshIndex, each), buyerClass(meshIndex), {
        kbit: Math.round(kbit * GUARANTEED[each]),
        ceil: kbit,
        prio: 2 + index,
        millis: QUEUE_MILLIS[each],
      }),
    ),
  ];
}

interface Leaf {
  readonly kbit: number;
  readonly ceil: number;
  readonly prio: number;
  /** Longest delay in the queue at the rate `ceil`. */
  readonly millis: number;
}

function leafLines(device: string, id: string, parent: string, leaf: Leaf): readonly string[] {
  const queueBytes = Math.max(MIN_QUEUE_BYTES, Math.round((leaf.ceil * leaf.millis) / 8));
  return [
    classLine(device, id, parent, leaf, ` prio ${leaf.prio}`),
    `qdisc replace dev ${device} parent ${id} bfifo limit ${queueBytes}`,
  ];
}

function classLine(device: string, id: string, parent: string, rate: Pick<Leaf, "kbit" | "ceil">, more = ""): string {
  // 2 ms at the rate, so that a late timer costs no rate, and at least two packets.
  const burst = (kbit: number): number => Math.max(3_200, Math.round((kbit * 2) / 8));
  return `class replace dev ${device} parent ${parent} classid ${id} htb rate ${rate.kbit}kbit ceil ${rate.ceil}kbit burst ${burst(rate.kbit)} cburst ${burst(rate.ceil)} quantum 3000${more}`;
}
