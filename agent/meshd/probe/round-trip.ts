/** Round-trip times of one link: base (windowed minimum), median of the last three, jitter. Integers in microseconds. */
const BUCKET_MILLIS = 5_000;
const BUCKETS = 6;
const BREACH_FACTOR = 2;
const BREACH_MICROS = 10_000;

export class RoundTrip {
  readonly #last3: number[] = [];
  #buckets: { until: number; least: number }[] = [];
  #jitterMicros: number | null = null;
  #medianMicros: number | null = null;
  #baseMicros: number | null = null;

  add(rttMicros: number, nowMillis: number): void {
    const previous = this.#last3.at(-1);
    if (previous !== undefined) {
      const difference = Math.abs(rttMicros - previous);
      this.#jitterMicros =
        this.#jitterMicros === null ? difference : this.#jitterMicros + (difference - this.#jitterMicros) / 16;
    }
    this.#last3.push(rttMicros);
    if (this.#last3.length > 3) this.#last3.shift();
    this.#medianMicros = Math.round(this.#last3.toSorted((a, b) => a - b)[this.#last3.length >> 1] ?? rttMicros);
    const current = this.#buckets.at(-1);
    if (current && nowMillis < current.until) current.least = Math.min(current.least, rttMicros);
    else this.#buckets = [...this.#buckets, { until: nowMillis + BUCKET_MILLIS, least: rttMicros }].slice(-BUCKETS);
    this.#detectChange(this.#medianMicros, nowMillis);
    this.#baseMicros = Math.round(this.#minMicros);
  }

  /** The last three show that the path became longer: the old minimum no longer applies. */
  #detectChange(medianMicros: number, nowMillis: number): void {
    if (this.#last3.length < 3 || medianMicros <= BREACH_FACTOR * this.#minMicros + BREACH_MICROS) return;
    this.#buckets = [{ until: nowMillis + BUCKET_MILLIS, least: Math.min(...this.#last3) }];
  }

  get #minMicros(): number {
    return this.#buckets.reduce((least, bucket) => Math.min(least, bucket.least), Number.POSITIVE_INFINITY);
  }

  get baseMicros(): number | null {
    return this.#baseMicros;
  }

  get medianMicros(): number | null {
    return this.#medianMicros;
  }

  get jitterMicros(): number | null {
    return this.#jitterMicros === null ? null : Math.round(this.#jitterMicros);
  }
}
