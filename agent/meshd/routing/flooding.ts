/**
 * Who still has to be told what. A neighbour is told again until it acknowledges, or has told us something as new.
 * Pure: what is due comes out as a list.
 */
import { type Database, type Entry, entryKey } from "./database.ts";
import { isNewer, type Lsa } from "./lsa.ts";

/** On a link that loses a third both ways, all of the early ones are lost once in a hundred times. */
const EARLY_REPEAT_MILLIS = 60;
const EARLY_REPEATS = 7;
const MAX_REPEAT_MILLIS = 1_000;
/** Advertisements at once to one neighbour: a whole database of 200 regions goes in a few steps. */
const BURST = 40;

interface Neighbour {
  /** To be told at once, as soon as the burst allows. */
  readonly fresh: Set<string>;
  /** Told, and not acknowledged yet. */
  readonly waiting: Map<string, { readonly atMillis: number; readonly told: number }>;
  /** Nothing that waits is due before this. */
  nextMillis: number;
}

export interface Acknowledgement {
  readonly origin: Lsa["origin"];
  readonly fragment: number;
  readonly incarnation: number;
  readonly sequence: number;
}

export class Flooding {
  /** By link. */
  readonly #neighbours = new Map<string, Neighbour>();

  /** A link came up: its far end is told everything, and acknowledges what it knows. */
  addLink(tag: string, entries: Iterable<Entry>): void {
    if (this.#neighbours.has(tag)) return;
    const known = [...entries].filter(({ dead }) => !dead).map(({ signed }) => entryKey(signed.lsa));
    this.#neighbours.set(tag, { fresh: new Set(known), waiting: new Map(), nextMillis: Number.POSITIVE_INFINITY });
  }

  removeLink(tag: string): void {
    this.#neighbours.delete(tag);
  }

  tellAll(lsa: Lsa, exceptTag: string | null): void {
    for (const tag of this.#neighbours.keys()) if (tag !== exceptTag) this.tell(tag, lsa);
  }

  tell(tag: string, lsa: Pick<Lsa, "origin" | "fragment">): void {
    this.#neighbours.get(tag)?.fresh.add(entryKey(lsa));
  }

  /** The neighbour has this one or a newer one. */
  acknowledged(tag: string, known: Acknowledgement, database: Database): void {
    const neighbour = this.#neighbours.get(tag);
    const entry = database.get(known);
    if (!neighbour || !entry || isNewer(entry.signed.lsa, known)) return;
    neighbour.fresh.delete(entryKey(known));
    neighbour.waiting.delete(entryKey(known));
  }

  /** What is due now, and is thereby told once more. */
  due(database: Database, nowMillis: number): readonly { readonly tag: string; readonly entry: Entry }[] {
    const out: { tag: string; entry: Entry }[] = [];
    for (const [tag, neighbour] of this.#neighbours) {
      if (neighbour.fresh.size === 0 && neighbour.nextMillis > nowMillis) continue;
      for (const key of dueAt(neighbour, nowMillis)) {
        const entry = database.find(key);
        neighbour.fresh.delete(key);
        if (!entry || entry.dead) {
          neighbour.waiting.delete(key);
          continue;
        }
        const told = (neighbour.waiting.get(key)?.told ?? 0) + 1;
        const later = EARLY_REPEAT_MILLIS * 2 ** Math.max(0, told - EARLY_REPEATS);
        const atMillis = nowMillis + Math.min(MAX_REPEAT_MILLIS, later);
        neighbour.waiting.set(key, { atMillis, told });
        neighbour.nextMillis = Math.min(neighbour.nextMillis, atMillis);
        out.push({ tag, entry });
      }
    }
    return out;
  }
}

/** News first, and not more at once than a burst. */
function dueAt(neighbour: Neighbour, nowMillis: number): readonly string[] {
  const keys = [...neighbour.fresh];
  for (const key of keys) neighbour.waiting.delete(key);
  if (neighbour.nextMillis <= nowMillis) {
    let next = Number.POSITIVE_INFINITY;
    for (const [key, { atMillis }] of neighbour.waiting) {
      if (atMillis <= nowMillis) keys.push(key);
      else next = Math.min(next, atMillis);
    }
    // What the burst leaves over is due still.
    neighbour.nextMillis = keys.length > BURST ? nowMillis : next;
  }
  return keys.slice(0, BURST);
}
