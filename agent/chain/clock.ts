/**
 * Where the chain's clock stands against CLOCK_MONOTONIC. Blocks arrive some time after the second that they name, never
 * before: the least difference seen lately is the best estimate. The wall clock of this machine plays no part.
 */
const REMEMBERED = 120;

/** A lease's times must not wander by the estimate's jitter, nor when the agent restarts: the first answer is kept. */
export interface FixedTimes {
  /** CLOCK_MONOTONIC in milliseconds, by second of the chain. */
  load(): Map<number, number>;
  save(chainSeconds: number, monotonicMillis: number): void;
}

export class ChainClock {
  readonly #offsets: number[] = [];
  readonly #times: FixedTimes;
  #fixed: Map<number, number> | null = null;

  constructor(times: FixedTimes) {
    this.#times = times;
  }

  observe(blockSeconds: number, arrivedMonotonicMillis: number): void {
    this.#offsets.push(arrivedMonotonicMillis - blockSeconds * 1000);
    if (this.#offsets.length > REMEMBERED) this.#offsets.shift();
  }

  get isSet(): boolean {
    return this.#offsets.length > 0;
  }

  nowSeconds(monotonicMillis: number): number {
    return (monotonicMillis - this.#offset()) / 1000;
  }

  toMonotonicMillis(chainSeconds: number): number {
    this.#fixed ??= this.#times.load();
    const known = this.#fixed.get(chainSeconds);
    if (known !== undefined) return known;
    const millis = Math.round(chainSeconds * 1000 + this.#offset());
    this.#times.save(chainSeconds, millis);
    this.#fixed.set(chainSeconds, millis);
    return millis;
  }

  #offset(): number {
    return Math.min(...this.#offsets);
  }
}
