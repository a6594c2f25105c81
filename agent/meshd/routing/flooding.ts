/**
 * Reliable flooding: what has to be sent to which neighbour. An advertisement is sent again until the neighbour
 * acknowledges it, or sends one at least as new. Pure: what is due is returned as a list.
 */
import { backoff } from "../../model/backoff.ts";
import { type Database, type Entry, entryKey } from "./database.ts";
import { isNewer, type Lsa } from "./lsa.ts";

/** On a link that loses a third of the packets each way, all the early ones are lost in one of a hundred cases. */
const EARLY_REPEAT_MILLIS = 60;
const EARLY_REPEATS = 7;
const MAX_REPEAT_MILLIS = 1_000;
/** Advertisements sent at once to one neighbour: a database of 200 regions takes a few steps. */
const BURST = 40;

interface Neighbour {
  /** Keys to be sent as soon as the burst allows. */
  readonly unsent: Set<string>;
  /** Sent, and not acknowledged yet. */
  readonly unacknowledged: Map<string, { readonly atMillis: number; readonly sendCount: number }>;
  /** No retransmission is due before this. */
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

  /** A link came up: its neighbour is sent the whole database, and acknowledges what it knows. */
  addLink(tag: string, entries: Iterable<Entry>): void {
    if (this.#neighbours.has(tag)) return;
    const known = [...entries].filter(({ dead }) => !dead).map(({ signed }) => entryKey(signed.lsa));
    this.#neighbours.set(tag, {
      unsent: new Set(known),
      unacknowledged: new Map(),
      nextMillis: Number.POSITIVE_INFINITY,
    });
  }

  removeLink(tag: string): void {
    this.#neighbours.delete(tag);
  }

  enqueueAll(lsa: Lsa, exceptTag: string | null): void {
    for (const tag of this.#neighbours.keys()) if (tag !== exceptTag) this.enqueue(tag, lsa);
  }

  enqueue(tag: string, lsa: Pick<Lsa, "origin" | "fragment">): void {
    this.#neighbours.get(tag)?.unsent.add(entryKey(lsa));
  }

  /** The neighbour has this one or a newer one. */
  acknowledge(tag: string, known: Acknowledgement, database: Database): void {
    const neighbour = this.#neighbours.get(tag);
    const entry = database.get(known);
    if (!neighbour || !entry || isNewer(entry.signed.lsa, known)) return;
    neighbour.unsent.delete(entryKey(known));
    neighbour.unacknowledged.delete(entryKey(known));
  }

  /** Takes what is due now: it is due again later, until it is acknowledged. */
  takeDue(database: Database, nowMillis: number): readonly { readonly tag: string; readonly entry: Entry }[] {
    const out: { tag: string; entry: Entry }[] = [];
    for (const [tag, neighbour] of this.#neighbours) {
      if (neighbour.unsent.size === 0 && neighbour.nextMillis > nowMillis) continue;
      for (const key of takeKeys(neighbour, nowMillis)) {
        const entry = database.find(key);
        neighbour.unsent.delete(key);
        if (!entry || entry.dead) {
          neighbour.unacknowledged.delete(key);
          continue;
        }
        const sendCount = (neighbour.unacknowledged.get(key)?.sendCount ?? 0) + 1;
        const pauseMillis = backoff(sendCount - EARLY_REPEATS + 1, EARLY_REPEAT_MILLIS, MAX_REPEAT_MILLIS);
        const atMillis = nowMillis + pauseMillis;
        neighbour.unacknowledged.set(key, { atMillis, sendCount });
        neighbour.nextMillis = Math.min(neighbour.nextMillis, atMillis);
        out.push({ tag, entry });
      }
    }
    return out;
  }
}

/** Removes what is due, new advertisements first and at most one burst. */
function takeKeys(neighbour: Neighbour, nowMillis: number): readonly string[] {
  const keys = [...neighbour.unsent];
  for (const key of keys) neighbour.unacknowledged.delete(key);
  if (neighbour.nextMillis <= nowMillis) {
    let next = Number.POSITIVE_INFINITY;
    for (const [key, { atMillis }] of neighbour.unacknowledged) {
      if (atMillis <= nowMillis) keys.push(key);
      else next = Math.min(next, atMillis);
    }
    // What exceeds the burst stays due.
    neighbour.nextMillis = keys.length > BURST ? nowMillis : next;
  }
  return keys.slice(0, BURST);
}
