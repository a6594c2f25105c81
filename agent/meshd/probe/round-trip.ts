/** Round-trip times of one link: base (windowed minimum), median of the last three, jitter. Integers in microseconds. */
const BUCKET_MILLIS = 5_000;
const BUCKETS = 6;
const BREACH_FACTOR = 2;
const BREACH_MICROS = 10_000;

export class RoundTrip {
  #last3: number[] = [];
  #buckets: { until: number; least: number }[] = [];
  #jitterMicros: number | null = null;
  #breaching = false;

  note(rttMicros: number, nowMillis: number): void {
    const previous = this.#last3.at(-1);
    if (previous !== undefined) {
      const difference = Math.abs(rttMicros - previous);
      this.#jitterMicros =
        this.#jitterMicros === null ? difference : this.#jitterMicros + (difference - this.#jitterMicros) / 16;
    }
    this.#last3 = [...this.#last3, rttMicros].slice(-3);
    const current = this.#buckets.at(-1);
    if (current && nowMillis < current.until) current.least = Math.min(current.least, rttMicros);
    else this.#buckets = [...this.#buckets, { until: nowMillis + BUCKET_MILLIS, least: rttMicros }].slice(-BUCKETS);
    this.#noticeBreach(nowMillis);
  }

  /** The three last say that the link became a longer one: its old minimum does not describe it any more. */
  #noticeBreach(nowMillis: number): void {
    const median = this.medianMicros;
    const base = this.baseMicros;
    this.#breaching =
      this.#last3.length === 3 && median !== null && base !== null && median > BREACH_FACTOR * base + BREACH_MICROS;
    if (this.#breaching && median !== null) {
      this.#buckets = [{ until: nowMillis + BUCKET_MILLIS, least: Math.min(...this.#last3) }];
    }
  }

  get baseMicros(): number | null {
    return this.#buckets.length === 0 ? null : Math.round(Math.min(...this.#buckets.map((bucket) => bucket.least)));
  }

  get medianMicros(): number | null {
    if (this.#last3.length === 0) return null;
    const sorted = this.#last3.toSorted((a, b) => a - b);
    return Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0);
  }

  get jitterMicros(): number | null {
    return this.#jitterMicros === null ? null : Math.round(this.#jitterMicros);
  }
}
