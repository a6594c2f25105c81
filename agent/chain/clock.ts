/**
 * The chain's clock on CLOCK_MONOTONIC. A block arrives some time after the second that it names, never before: the
 * smallest difference of the last blocks is the best estimate. The machine's wall clock is not used.
 */
const MAX_SAMPLES = 120;
/** Smaller changes of the estimate are not written. */
const MIN_CHANGE_MILLIS = 100;
/** The estimate is saved as the time of this second, for a restart while no block comes. */
const SECOND_ZERO = 0;

/** The first time given for a second is kept, so that a lease's times change neither with the estimate nor at a restart. */
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
    // The saved estimate: the first block after a restart may be an old one.
    const kept = this.#fixed.get(SECOND_ZERO);
    this.#offsets = kept === undefined ? [] : [kept];
  }

  observe(blockSeconds: number, arrivedMonotonicMillis: number): void {
    this.#offsets.push(arrivedMonotonicMillis - blockSeconds * 1000);
    if (this.#offsets.length > MAX_SAMPLES) this.#offsets.shift();
    const [offset, kept] = [this.#offset(), this.#fixed.get(SECOND_ZERO)];
    if (kept !== undefined && Math.abs(offset - kept) <= MIN_CHANGE_MILLIS) return;
    try {
      this.#save(SECOND_ZERO, offset);
    } catch {
      // The disk is full: the estimate holds for this run, and is written with the next block.
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
    this.#save(chainSeconds, millis);
    return millis;
  }

  #offset(): number {
    return Math.min(...this.#offsets);
  }

  #save(chainSeconds: number, millis: number): void {
    this.#times.save(chainSeconds, millis);
    this.#fixed.set(chainSeconds, millis);
  }
}
