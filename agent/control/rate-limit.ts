/** Token buckets by sender: `perSecond` on average, `burst` at once. Bounded memory: the longest idle bucket goes first. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, { tokens: number; atMillis: number }>();

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  allows(sender: string, nowMillis: number): boolean {
    const bucket = this.#buckets.get(sender) ?? { tokens: this.#burst, atMillis: nowMillis };
    const tokens = Math.min(this.#burst, bucket.tokens + ((nowMillis - bucket.atMillis) / 1000) * this.#perSecond);
    this.#buckets.delete(sender);
    this.#buckets.set(sender, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMillis: nowMillis });
    if (this.#buckets.size > 4096) this.#buckets.delete(this.#buckets.keys().next().value ?? sender);
    return tokens >= 1;
  }
}

/** Nonces within their lifetime; a second sight is a replay. Expired ones are forgotten in order of arrival. */
export class ReplayGuard {
  readonly #seen = new Map<string, number>();

  hasSeen(nonce: string, nowSeconds: number): boolean {
    for (const [old, expiry] of this.#seen) {
      if (expiry >= nowSeconds) break;
      this.#seen.delete(old);
    }
    return this.#seen.has(nonce);
  }

  remember(nonce: string, expiresAtSeconds: number): void {
    this.#seen.set(nonce, expiresAtSeconds);
  }
}
