/** The most recent messages, for people and for server-sent events. */
import { EventEmitter } from "node:events";
import type { Message } from "../coordinator/messages.ts";
import { monotonicMillis } from "../model/time.ts";
import type { LoggedEvent } from "./schemas.ts";
import { sharedPart } from "./shared-messages.ts";

export type { LoggedEvent };

const MAX_EVENTS = 2000;

/** Keeps the last 2,000 messages that passed, as far as they may be shown. */
export class EventLog {
  readonly #entries: LoggedEvent[] = [];
  readonly #emitter = new EventEmitter<{ event: [LoggedEvent] }>().setMaxListeners(100);
  #nextId = 1;

  add(message: Message): void {
    const entry = {
      id: this.#nextId++,
      at: new Date().toISOString(),
      monotonicMillis: monotonicMillis(),
      message: sharedPart(message),
    };
    this.#entries.push(entry);
    if (this.#entries.length > MAX_EVENTS) this.#entries.shift();
    this.#emitter.emit("event", entry);
  }

  /** Those after the event with this id, of the last 2,000. */
  since(id: number): readonly LoggedEvent[] {
    return this.#entries.filter((entry) => entry.id > id);
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: (entry: LoggedEvent) => void): () => void {
    this.#emitter.on("event", listener);
    return () => this.#emitter.off("event", listener);
  }
}
