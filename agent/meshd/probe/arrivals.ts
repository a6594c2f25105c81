/** Which of the peer's numbered probes arrived: loss over windows, and the bit map that the next probe returns. */
const RING = 1024;

export class Arrivals {
  readonly #came = new Uint8Array(RING);
  #first = 0;
  #last = 0;
  /** By window, cached until the next arrival. */
  readonly #lossPpm = new Map<number, number>();

  get last(): number {
    return this.#last;
  }

  /** Starts again at `sequence` and drops the history. */
  restart(sequence: number): void {
    this.#lossPpm.clear();
    this.#came.fill(0);
    this.#first = sequence;
    this.#last = sequence;
    this.#came[sequence % RING] = 1;
  }

  /** Returns false for a duplicate, or one older than the window. A jump wider than the window starts again. */
  add(sequence: number): boolean {
    this.#lossPpm.clear();
    if (this.#last === 0 || sequence - this.#last >= RING) {
      this.restart(sequence);
      return true;
    }
    if (sequence <= this.#last) {
      const late = this.#last - sequence < RING && sequence >= this.#first && this.#came[sequence % RING] === 0;
      if (late) this.#came[sequence % RING] = 1;
      return late;
    }
    for (let number = this.#last + 1; number < sequence; number++) this.#came[number % RING] = 0;
    this.#came[sequence % RING] = 1;
    this.#last = sequence;
    return true;
  }

  /** Loss among the last `count` probes; a window that is not full yet counts what it has. */
  lossPpm(count: number): number {
    if (this.#last === 0) return 0;
    const known = this.#lossPpm.get(count);
    if (known !== undefined) return known;
    const total = this.#last - this.#from(count) + 1;
    // At least 20, so that one loss in a new window is not a high rate.
    const lossPpm = Math.round((this.lost(count) * 1_000_000) / Math.max(total, Math.min(count, 20)));
    this.#lossPpm.set(count, lossPpm);
    return lossPpm;
  }

  /** How many of the last `count` probes did not arrive. */
  lost(count: number): number {
    let lost = 0;
    for (let number = this.#from(count); number <= this.#last; number++) if (this.#came[number % RING] === 0) lost++;
    return lost;
  }

  #from(count: number): number {
    return Math.max(this.#first, this.#last - Math.min(count, RING) + 1);
  }

  /** Bit k: `last − k` arrived. */
  map(): bigint {
    let bits = 0n;
    for (let k = 0; k < 64 && this.#last - k >= this.#first && this.#last - k > 0; k++) {
      if (this.#came[(this.#last - k) % RING] === 1) bits |= 1n << BigInt(k);
    }
    return bits;
  }
}

/** The same from such a bit map, from the oldest arrival in it on. */
export function lostOf(map: bigint, count: number): number {
  let lost = 0;
  for (let rest = map, k = 0; rest !== 0n && k < count; rest >>= 1n, k++) if ((rest & 1n) === 0n) lost++;
  return lost;
}
