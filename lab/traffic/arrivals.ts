/** What a stream of numbered packets says about an interruption. Pure: times in, figures out. */

export interface Arrival {
  readonly sequence: number;
  /** CLOCK_MONOTONIC of the machine, which all namespaces share. */
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
  /** From the fault until traffic flows well again; `null`: it did not within the record. */
  readonly recoveredMillis: number | null;
  /** Longest time without any arrival that had not ended when the fault came. */
  readonly maxGapMillis: number;
  /** Packets sent after the fault that never arrived. */
  readonly lost: number;
  /** Median one-way delay before the fault. */
  readonly baseDelayMillis: number;
  /** How long since the fault traffic did not flow well, in sum: what flapping costs. */
  readonly badMillis: number;
}

/** "Well": 98 % of what is sent in a second arrives within 80 ms beyond the delay before the fault. */
const WELL_SHARE = 0.98;
const WELL_EXTRA_MILLIS = 80;
const WELL_WINDOW_MILLIS = 1000;

/** @param wellExtraMillis how much later than before the fault a packet may come and still be good. */
export function interruption(
  record: StreamRecord,
  faultAtMillis: number,
  wellExtraMillis = WELL_EXTRA_MILLIS,
): Interruption {
  const before = record.arrivals.filter((arrival) => arrival.receivedMillis < faultAtMillis);
  const baseDelayMillis = median(before.map((arrival) => arrival.receivedMillis - arrival.sentMillis));
  const delays = new Map(
    record.arrivals.map((arrival) => [arrival.sequence, arrival.receivedMillis - arrival.sentMillis]),
  );
  const sendTime = (sequence: number) => record.startMillis + sequence * record.intervalMillis;
  const arrivedWell = (sequence: number) =>
    (delays.get(sequence) ?? Number.POSITIVE_INFINITY) <= baseDelayMillis + wellExtraMillis;

  const first = Math.max(0, Math.ceil((faultAtMillis - record.startMillis) / record.intervalMillis));
  const after = Array.from({ length: Math.max(0, record.sent - first) }, (_, offset) => arrivedWell(first + offset));
  const window = Math.round(WELL_WINDOW_MILLIS / record.intervalMillis);
  const recoveredAt = firstGoodWindow(after, window);
  return {
    recoveredMillis: recoveredAt === undefined ? null : Math.max(0, sendTime(first + recoveredAt) - faultAtMillis),
    maxGapMillis: maxGap(
      record.arrivals.map((arrival) => arrival.receivedMillis),
      faultAtMillis,
    ),
    lost: after.filter((_, offset) => !delays.has(first + offset)).length,
    baseDelayMillis,
    badMillis: after.filter((well) => !well).length * record.intervalMillis,
  };
}

/** A good window begins with a good packet: else the time before the first arrival would count as recovered. */
function firstGoodWindow(well: readonly boolean[], window: number): number | undefined {
  let good = 0;
  for (let end = 0; end < well.length; end++) {
    if (well[end]) good++;
    const start = end - window + 1;
    if (start < 0) continue;
    if (well[start] && good >= WELL_SHARE * window) return start;
    if (well[start]) good--;
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
