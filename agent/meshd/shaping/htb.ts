/**
 * What a link sends, shaped on the ENI, where a packet is what the lease counts: inner IP bytes. Packets get their
 * class from nftables as priority (`major:minor`), which HTB takes without any filter of its own.
 */
import type { RegionId } from "../../model/ids.ts";
import { TRAFFIC_CLASSES, type TrafficClass } from "../../model/traffic-class.ts";

/** Probes and link state, above everything. */
export const PROBE_CLASS = "1:1";
/** What is of no buyer: the agents' control channel inside the ENI. */
export const CONTROL_CLASS = "1:2";
const CONTROL_KBIT = 1_000;

/**
 * What each class of a buyer is sure of, of the lease; all may use all of it, in the order of their precedence. Bulk
 * keeps a little, so that a flood of the others does not end its connections.
 */
const GUARANTEED: Readonly<Record<TrafficClass, number>> = { critical: 0.2, interactive: 0.75, bulk: 0.05 };

/** Delay that a full queue adds at the leased rate. */
const QUEUE_MILLIS: Readonly<Record<TrafficClass, number>> = { critical: 20, interactive: 40, bulk: 60 };
const MIN_QUEUE_BYTES = 32_768;

export interface BuyerShare {
  readonly buyer: RegionId;
  /** Number of the buyer in the mesh, see marks.ts. */
  readonly meshIndex: number;
  readonly rateMbps: number;
}

/** The class of one buyer on every link, with the rate of its lease; the three traffic classes stand under it. */
const buyerClass = (meshIndex: number): string => `1:${(0x100 + meshIndex).toString(16)}`;
const BUYER_CLASS = /^class htb 1:(1[0-9a-f]{2}|[2-4][0-9a-f]{2}) /;
/** Whose classes `tc class show` lists. */
export const meshIndexesOf = (lines: readonly string[]): readonly number[] =>
  lines.flatMap((line) => {
    const [, minor] = BUYER_CLASS.exec(line) ?? [];
    return minor === undefined ? [] : [Number.parseInt(minor, 16) - 0x100];
  });
export const leafClass = (meshIndex: number, trafficClass: TrafficClass): string =>
  `1:${(0x2000 + 4 * meshIndex + TRAFFIC_CLASSES.indexOf(trafficClass)).toString(16)}`;

/** For `tc -batch -`. `fresh`: there is no shaper yet. Buyers whose share went away leave. */
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
  /** The longest that a packet waits at the highest rate. */
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
  // A burst of 2 ms at the rate lets the timer be late without losing rate; two packets at least.
  const burst = (kbit: number): number => Math.max(3_200, Math.round((kbit * 2) / 8));
  return `class replace dev ${device} parent ${parent} classid ${id} htb rate ${rate.kbit}kbit ceil ${rate.ceil}kbit burst ${burst(rate.kbit)} cburst ${burst(rate.ceil)} quantum 3000${more}`;
}
