/** Which of the other side's numbered probes came: loss over windows, and the map that goes back with the next probe. */
const RING = 1024;

export class Arrivals {
  readonly #came = new Uint8Array(RING);
  #first = 0;
  #last = 0;
  /** By window, until something comes: asked for many times an interval. */
  readonly #lossPpm = new Map<number, number>();

  get last(): number {
    return this.#last;
  }

  /** Begins afresh after `sequence`: what was before says nothing any more. */
  restart(sequence: number): void {
    this.#lossPpm.clear();
    this.#came.fill(0);
    this.#first = sequence;
    this.#last = sequence;
    this.#came[sequence % RING] = 1;
  }

  /** False for a repeated or hopelessly late one. A jump wider than the ring begins afresh. */
  note(sequence: number): boolean {
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

  /** Of the last `count` numbers up to the newest; a window that has not filled yet counts as far as it goes. */
  lossPpm(count: number): number {
    if (this.#last === 0) return 0;
    const known = this.#lossPpm.get(count);
    if (known !== undefined) return known;
    const total = this.#last - this.#from(count) + 1;
    // A window that is hardly filled must not turn one loss into a catastrophe.
    const lossPpm = Math.round((this.lost(count) * 1_000_000) / Math.max(total, Math.min(count, 20)));
    this.#lossPpm.set(count, lossPpm);
    return lossPpm;
  }

  /** How many of the last `count` numbers did not come. */
  lost(count: number): number {
    let lost = 0;
    for (let number = this.#from(count); number <= this.#last; number++) if (this.#came[number % RING] === 0) lost++;
    return lost;
  }

  #from(count: number): number {
    return Math.max(this.#first, this.#last - Math.min(count, RING) + 1);
  }

  /** Bit k: `last − k` came. */
  map(): bigint {
    let bits = 0n;
    for (let k = 0; k < 64 && this.#last - k >= this.#first && this.#last - k > 0; k++) {
      if (this.#came[(this.#last - k) % RING] === 1) bits |= 1n << BigInt(k);
    }
    return bits;
  }
}

/** The same by such a map, which says nothing of what was before the oldest that came. */
export function lostOf(map: bigint, count: number): number {
  let lost = 0;
  for (let rest = map, k = 0; rest !== 0n && k < count; rest >>= 1n, k++) if ((rest & 1n) === 0n) lost++;
  return lost;
}
