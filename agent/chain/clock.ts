/**
 * Where the chain's clock stands against CLOCK_MONOTONIC. Blocks arrive some time after the second that they name, never
 * before: the least difference seen lately is the best estimate. The wall clock of this machine plays no part.
 */
const REMEMBERED = 120;
/** Worth a write: leases do not see less. */
const WORTH_KEEPING_MILLIS = 100;
/** The estimate itself is kept as the time of the chain's second 0, for a restart while no block comes. */
const ZERO = 0;

/** A lease's times must not wander by the estimate's jitter, nor when the agent restarts: the first answer is kept. */
export interface FixedTimes {
  /** CLOCK_MONOTONIC in milliseconds, by second of the chain. */
  load(): Map<number, number>;
  save(chainSeconds: number, monotonicMillis: number): void;
}

export class ChainClock {
  readonly #offsets: number[];
  readonly #times: FixedTimes;
  readonly #fixed: Map<number, number>;

  constructor(times: FixedTimes) {
    this.#times = times;
    this.#fixed = times.load();
    // A restart forgets no better estimate: the first block that it sees may be an old one.
    const kept = this.#fixed.get(ZERO);
    this.#offsets = kept === undefined ? [] : [kept];
  }

  observe(blockSeconds: number, arrivedMonotonicMillis: number): void {
    this.#offsets.push(arrivedMonotonicMillis - blockSeconds * 1000);
    if (this.#offsets.length > REMEMBERED) this.#offsets.shift();
    const [offset, kept] = [this.#offset(), this.#fixed.get(ZERO)];
    if (kept !== undefined && Math.abs(offset - kept) <= WORTH_KEEPING_MILLIS) return;
    try {
      this.#keep(ZERO, offset);
    } catch {
      // A disk that is full: it holds for this run, and is written when the next block comes.
    }
  }

  get isSet(): boolean {
    return this.#offsets.length > 0;
  }

  nowSeconds(monotonicMillis: number): number {
    return (monotonicMillis - this.#offset()) / 1000;
  }

  toMonotonicMillis(chainSeconds: number): number {
    const known = this.#fixed.get(chainSeconds);
    if (known !== undefined) return known;
    const millis = Math.round(chainSeconds * 1000 + this.#offset());
    this.#keep(chainSeconds, millis);
    return millis;
  }

  #offset(): number {
    return Math.min(...this.#offsets);
  }

  #keep(chainSeconds: number, millis: number): void {
    this.#times.save(chainSeconds, millis);
    this.#fixed.set(chainSeconds, millis);
  }
}
