import { type Rate, TokenBucket } from "../model/token-bucket.ts";

/** A token bucket for each sender. Bounded memory: the longest idle bucket goes first. */
export class RateLimit {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(perSecond: number, burst: number) {
    this.#rate = { perSecond, burst };
  }

  /** Takes a token of the sender. @returns false: it has none left, and its message is dropped */
  take(sender: string, nowMillis: number): boolean {
    const bucket = this.#buckets.get(sender) ?? new TokenBucket(this.#rate, nowMillis);
    this.#buckets.delete(sender);
    this.#buckets.set(sender, bucket);
    if (this.#buckets.size > 4096) this.#buckets.delete(this.#buckets.keys().next().value ?? sender);
    return bucket.take(nowMillis);
  }
}

/** Nonces within their lifetime; a second sight is a replay. */
export class ReplayGuard {
  readonly #seen = new Map<string, number>();

  hasSeen(nonce: string, nowSeconds: number): boolean {
    return (this.#seen.get(nonce) ?? Number.NEGATIVE_INFINITY) >= nowSeconds;
  }

  /** Expired nonces are forgotten, in order of arrival. */
  remember(nonce: string, expiresAtSeconds: number, nowSeconds: number): void {
    for (const [old, expiry] of this.#seen) {
      if (expiry >= nowSeconds) break;
      this.#seen.delete(old);
    }
    this.#seen.set(nonce, expiresAtSeconds);
  }
}
