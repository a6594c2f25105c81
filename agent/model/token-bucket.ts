/** Limits a rate: `perSecond` on average, `burst` at once. What is refused costs nothing. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #atMillis: number;

  constructor(rate: Rate, nowMillis: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#atMillis = nowMillis;
  }

  /** Whether one more is allowed now; takes its token. */
  take(nowMillis: number): boolean {
    const { perSecond, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMillis - this.#atMillis) / 1000) * perSecond);
    this.#atMillis = nowMillis;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
