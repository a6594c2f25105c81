/**
 * Observed capacity of a link. While this end sends at the leased rate without a break, its queue is not empty, and what
 * the peer receives in that time is what the underlay carries. Idle links give no evidence; an observation expires after
 * a minute. Pure.
 */

/** Bytes that an end received in total, with the time by its own clock. */
export interface Received {
  readonly bytes: number;
  readonly atMicros: number;
}

/** Share of the leased rate that counts as backlog: leaves room for the granularity of shaper and clock. */
const BACKLOG_SHARE = 0.95;
const MIN_BACKLOG_MILLIS = 250;
const MAX_WINDOW_MILLIS = 2_000;
const EXPIRES_AFTER_MILLIS = 60_000;
/** In addition to the round trip, for packets that were on their way when the backlog began. */
const MARGIN_MILLIS = 100;
/** Less than this share of the leased rate is a shortage; the measurement is not more precise. */
const SHORT_SHARE = 0.9;

export class CapacityMeter {
  #sent: { readonly bytes: number; readonly atMillis: number } | null = null;
  /** Counted and not reported yet. */
  #unreported: Received | null = null;
  #backlogSince: number | null = null;
  #reports: (Received & { readonly heardAt: number })[] = [];
  #observed: { readonly kbps: number; readonly atMillis: number } | null = null;

  /** The report for the peer, once; null: nothing was counted since the last one. */
  takeReport(): Received | null {
    const unreported = this.#unreported;
    this.#unreported = null;
    return unreported;
  }

  /** Cumulative counters of this end; to be called a few times a second. */
  addCounts(
    count: { readonly sentBytes: number; readonly receivedBytes: number },
    link: { readonly leasedKbps: number; readonly rttMicros: number | null },
    nowMillis: number,
  ): void {
    const before = this.#sent;
    this.#sent = { bytes: count.sentBytes, atMillis: nowMillis };
    this.#unreported = { bytes: count.receivedBytes, atMicros: nowMillis * 1000 };
    if (!before || nowMillis <= before.atMillis) return;
    const kbps = ((count.sentBytes - before.bytes) * 8) / (nowMillis - before.atMillis);
    if (kbps < BACKLOG_SHARE * link.leasedKbps) {
      this.#backlogSince = null;
      this.#reports = [];
      return;
    }
    this.#backlogSince ??= before.atMillis;
    const from = this.#backlogSince + (link.rttMicros ?? 0) / 1000 + MARGIN_MILLIS;
    const [first, last] = [this.#reports.find(({ heardAt }) => heardAt >= from), this.#reports.at(-1)];
    if (!first || !last) return;
    const durationMillis = (last.atMicros - first.atMicros) / 1000;
    if (durationMillis < MIN_BACKLOG_MILLIS) return;
    this.#observed = { kbps: Math.round(((last.bytes - first.bytes) * 8) / durationMillis), atMillis: nowMillis };
  }

  /** A report of the peer. */
  addReport(received: Received, nowMillis: number): void {
    const last = this.#reports.at(-1);
    // The peer restarted, or its clock went back: earlier reports are not comparable.
    if (last && (received.bytes < last.bytes || received.atMicros < last.atMicros)) this.#reports = [];
    if (this.#backlogSince === null || received.atMicros === last?.atMicros) return;
    const oldest = received.atMicros - MAX_WINDOW_MILLIS * 1000;
    this.#reports = [
      ...this.#reports.filter(({ atMicros }) => atMicros >= oldest),
      { ...received, heardAt: nowMillis },
    ];
  }

  /** Observed capacity in kbit/s if it is a shortage; null: none observed within the last minute. */
  shortageKbps(leasedKbps: number, nowMillis: number): number | null {
    if (!this.#observed || nowMillis - this.#observed.atMillis > EXPIRES_AFTER_MILLIS) return null;
    return this.#observed.kbps < SHORT_SHARE * leasedKbps ? Math.max(1, this.#observed.kbps) : null;
  }
}
