/** Measures an interruption from the arrivals of a stream of numbered packets. Pure. */

export interface Arrival {
  readonly sequence: number;
  /** CLOCK_MONOTONIC, which all namespaces share. */
  readonly sentMillis: number;
  readonly receivedMillis: number;
}

export interface StreamRecord {
  /** Packet k was due at `startMillis + k · intervalMillis`, whether or not it arrived. */
  readonly startMillis: number;
  readonly intervalMillis: number;
  readonly sent: number;
  /** In order of arrival. */
  readonly arrivals: readonly Arrival[];
}

export interface Interruption {
  /** From the fault until traffic is good again; null: it was not within the record. */
  readonly recoveredMillis: number | null;
  /** Longest time without an arrival that ended after the fault. */
  readonly maxGapMillis: number;
  /** Packets sent after the fault that never arrived. */
  readonly lost: number;
  /** Median one-way delay before the fault. */
  readonly baseDelayMillis: number;
  /** Total time since the fault in which traffic was not good. */
  readonly badMillis: number;
}

/** Traffic is good if 98 % of the packets sent in a second arrive at most 80 ms later than before the fault. */
const GOOD_SHARE = 0.98;
const GOOD_EXTRA_MILLIS = 80;
const GOOD_WINDOW_MILLIS = 1000;

/** @param goodExtraMillis how much later than before the fault a good packet may arrive. */
export function interruption(
  record: StreamRecord,
  faultAtMillis: number,
  goodExtraMillis = GOOD_EXTRA_MILLIS,
): Interruption {
  const before = record.arrivals.filter((arrival) => arrival.receivedMillis < faultAtMillis);
  const baseDelayMillis = median(before.map((arrival) => arrival.receivedMillis - arrival.sentMillis));
  const delays = new Map(
    record.arrivals.map((arrival) => [arrival.sequence, arrival.receivedMillis - arrival.sentMillis]),
  );
  const sendTime = (sequence: number) => record.startMillis + sequence * record.intervalMillis;
  const isGood = (sequence: number) =>
    (delays.get(sequence) ?? Number.POSITIVE_INFINITY) <= baseDelayMillis + goodExtraMillis;

  const first = Math.max(0, Math.ceil((faultAtMillis - record.startMillis) / record.intervalMillis));
  const after = Array.from({ length: Math.max(0, record.sent - first) }, (_, offset) => isGood(first + offset));
  const window = Math.round(GOOD_WINDOW_MILLIS / record.intervalMillis);
  const recoveredAt = firstGoodWindow(after, window);
  return {
    recoveredMillis: recoveredAt === undefined ? null : Math.max(0, sendTime(first + recoveredAt) - faultAtMillis),
    maxGapMillis: maxGap(
      record.arrivals.map((arrival) => arrival.receivedMillis),
      faultAtMillis,
    ),
    lost: after.filter((_, offset) => !delays.has(first + offset)).length,
    baseDelayMillis,
    badMillis: after.filter((good) => !good).length * record.intervalMillis,
  };
}

/** A window must begin with a good packet, otherwise the time before it would count as recovered. */
function firstGoodWindow(good: readonly boolean[], window: number): number | undefined {
  let count = 0;
  for (let end = 0; end < good.length; end++) {
    if (good[end]) count++;
    const start = end - window + 1;
    if (start < 0) continue;
    if (good[start] && count >= GOOD_SHARE * window) return start;
    if (good[start]) count--;
  }
  return undefined;
}

function maxGap(receivedMillis: readonly number[], faultAtMillis: number): number {
  let largest = 0;
  for (let index = 1; index < receivedMillis.length; index++) {
    const at = receivedMillis[index]!;
    if (at > faultAtMillis) largest = Math.max(largest, at - receivedMillis[index - 1]!);
  }
  return largest;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
