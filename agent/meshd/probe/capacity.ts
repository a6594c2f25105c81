/**
 * What a link was seen to carry. While this end has more to send than the lease (it sends at the leased rate without a
 * break, so its queue is not empty), what the other end counts in that time is what the underlay carries. Idle links
 * say nothing, and what was seen is forgotten after a minute. Pure (ROUTING.md, section 3).
 */

/** An end's own count of what came in, with its own clock. */
export interface Received {
  readonly bytes: number;
  readonly atMicros: number;
}

/** Of the leased rate: the shaper's steps, and those of the clock between two looks. */
const BACKLOG_SHARE = 0.95;
const MIN_BACKLOG_MILLIS = 250;
const MAX_WINDOW_MILLIS = 2_000;
const FORGOTTEN_AFTER_MILLIS = 60_000;
/** Beside the round trip, for packets that were under way when the backlog began. */
const MARGIN_MILLIS = 100;
/** Less than this of the leased rate is a shortage; above it, measuring is not better than that. */
const SHORT_SHARE = 0.9;

export class CapacityMeter {
  #sent: { readonly bytes: number; readonly atMillis: number } | null = null;
  /** Counted, and not told yet. */
  #untold: Received | null = null;
  #backlogSince: number | null = null;
  #reports: (Received & { readonly heardAt: number })[] = [];
  #seen: { readonly kbps: number; readonly atMillis: number } | null = null;

  /** To be told to the other end, once; null: nothing was counted since. */
  report(): Received | null {
    const untold = this.#untold;
    this.#untold = null;
    return untold;
  }

  /** Both counters of our end of the link; to be called a few times a second. */
  counted(
    count: { readonly sentBytes: number; readonly receivedBytes: number },
    link: { readonly leasedKbps: number; readonly rttMicros: number | null },
    nowMillis: number,
  ): void {
    const before = this.#sent;
    this.#sent = { bytes: count.sentBytes, atMillis: nowMillis };
    this.#untold = { bytes: count.receivedBytes, atMicros: nowMillis * 1000 };
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
    const lastedMillis = (last.atMicros - first.atMicros) / 1000;
    if (lastedMillis < MIN_BACKLOG_MILLIS) return;
    this.#seen = { kbps: Math.round(((last.bytes - first.bytes) * 8) / lastedMillis), atMillis: nowMillis };
  }

  /** What the other end says that it received. */
  reported(received: Received, nowMillis: number): void {
    const last = this.#reports.at(-1);
    // A peer that began anew, or lies about its clock: nothing compares to what it said before.
    if (last && (received.bytes < last.bytes || received.atMicros < last.atMicros)) this.#reports = [];
    if (this.#backlogSince === null || received.atMicros === last?.atMicros) return;
    const oldest = received.atMicros - MAX_WINDOW_MILLIS * 1000;
    this.#reports = [
      ...this.#reports.filter(({ atMicros }) => atMicros >= oldest),
      { ...received, heardAt: nowMillis },
    ];
  }

  /** What the link carries where that is less than what is leased; null: nothing says so. */
  shortageKbps(leasedKbps: number, nowMillis: number): number | null {
    if (!this.#seen || nowMillis - this.#seen.atMillis > FORGOTTEN_AFTER_MILLIS) return null;
    return this.#seen.kbps < SHORT_SHARE * leasedKbps ? Math.max(1, this.#seen.kbps) : null;
  }
}
