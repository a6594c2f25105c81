/**
 * Who still has to be told what. A neighbour is told again until it acknowledges, or has told us something as new.
 * Pure: what is due comes out as a list.
 */
import { type Database, type Entry, entryKey } from "./database.ts";
import { isNewer, type Lsa } from "./lsa.ts";

/** On a link that loses a third both ways, all of the early ones are lost once in a hundred times. */
const EARLY_REPEAT_MILLIS = 60;
const EARLY_REPEATS = 7;
const LONGEST_REPEAT_MILLIS = 1_000;
/** Advertisements at once to one neighbour: a whole database of 200 regions goes in a few steps. */
const BURST = 40;

interface Due {
  atMillis: number;
  told: number;
}

export interface Acknowledgement {
  readonly origin: Lsa["origin"];
  readonly fragment: number;
  readonly incarnation: number;
  readonly sequence: number;
}

export class Flooding {
  /** By link, by entry. */
  readonly #due = new Map<string, Map<string, Due>>();

  /** A link came up: its far end is told everything, and acknowledges what it knows. */
  addLink(tag: string, entries: Iterable<Entry>, nowMillis: number): void {
    if (this.#due.has(tag)) return;
    this.#due.set(tag, new Map());
    for (const entry of entries) if (!entry.dead) this.#mark(tag, entryKey(entry.signed.lsa), nowMillis);
  }

  removeLink(tag: string): void {
    this.#due.delete(tag);
  }

  links(): IterableIterator<string> {
    return this.#due.keys();
  }

  tellAll(lsa: Lsa, exceptTag: string | null, nowMillis: number): void {
    for (const tag of this.#due.keys()) if (tag !== exceptTag) this.#mark(tag, entryKey(lsa), nowMillis);
  }

  tell(tag: string, lsa: Pick<Lsa, "origin" | "fragment">, nowMillis: number): void {
    if (this.#due.has(tag)) this.#mark(tag, entryKey(lsa), nowMillis);
  }

  /** The neighbour has this one or a newer one. */
  acknowledged(tag: string, known: Acknowledgement, database: Database): void {
    const entry = database.get(known);
    if (entry && !isNewer(entry.signed.lsa, known)) this.#due.get(tag)?.delete(entryKey(known));
  }

  /** What is due now, and is thereby told once more. */
  due(database: Database, nowMillis: number): readonly { readonly tag: string; readonly entry: Entry }[] {
    const out: { tag: string; entry: Entry }[] = [];
    for (const [tag, entries] of this.#due) {
      let room = BURST;
      for (const [key, due] of entries) {
        if (due.atMillis > nowMillis || room === 0) continue;
        const [origin, fragment] = key.split("/").map(Number);
        const entry = database.get({ origin: origin as Lsa["origin"], fragment: fragment ?? 0 });
        if (!entry || entry.dead) {
          entries.delete(key);
          continue;
        }
        room--;
        due.told++;
        const later = EARLY_REPEAT_MILLIS * 2 ** Math.max(0, due.told - EARLY_REPEATS);
        due.atMillis = nowMillis + Math.min(LONGEST_REPEAT_MILLIS, later);
        out.push({ tag, entry });
      }
    }
    return out;
  }

  nextMillis(): number | null {
    let next = Number.POSITIVE_INFINITY;
    for (const entries of this.#due.values()) for (const due of entries.values()) next = Math.min(next, due.atMillis);
    return Number.isFinite(next) ? next : null;
  }

  #mark(tag: string, key: string, nowMillis: number): void {
    this.#due.get(tag)?.set(key, { atMillis: nowMillis, told: 0 });
  }
}
