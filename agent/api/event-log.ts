/** The last things that happened, for people and for server-sent events: each with the machine's time and CLOCK_MONOTONIC. */
import { EventEmitter } from "node:events";
import type { Message } from "../coordinator/messages.ts";
import { toJson } from "../model/json.ts";
import { monotonicMillis } from "../model/time.ts";

export interface LoggedEvent {
  readonly id: number;
  readonly at: string;
  readonly monotonicMillis: number;
  readonly message: unknown;
}

const KEPT = 2000;
/** Of our own order nothing leaves the process before it is revealed. */
const SECRET_FIELDS = new Set(["salt", "commitment", "price", "lots", "because"]);

export class EventLog {
  readonly #entries: LoggedEvent[] = [];
  readonly #emitter = new EventEmitter<{ event: [LoggedEvent] }>().setMaxListeners(100);
  #nextId = 1;

  add(message: Message): void {
    const entry = {
      id: this.#nextId++,
      at: new Date().toISOString(),
      monotonicMillis: monotonicMillis(),
      message: publicPart(message),
    };
    this.#entries.push(entry);
    if (this.#entries.length > KEPT) this.#entries.shift();
    this.#emitter.emit("event", entry);
  }

  since(id: number): readonly LoggedEvent[] {
    return this.#entries.filter((entry) => entry.id > id);
  }

  subscribe(listener: (entry: LoggedEvent) => void): () => void {
    this.#emitter.on("event", listener);
    return () => this.#emitter.off("event", listener);
  }
}

function publicPart(message: Message): unknown {
  const plain =
    message.type === "OrderPrepared"
      ? {
          ...message,
          order: Object.fromEntries(Object.entries(message.order).filter(([key]) => !SECRET_FIELDS.has(key))),
        }
      : message;
  return JSON.parse(toJson(plain), (_, value) =>
    value && typeof value === "object" && "$bigint" in value ? String(value.$bigint) : value,
  );
}
