/** Again after a failure, but not at once, each time later, and said once: no log that is full in a minute. */
import type { Logger } from "pino";
import { describeError } from "../model/errors.ts";

const FIRST_MILLIS = 1_000;
const MAX_MILLIS = 30_000;

export class Retry {
  readonly #again: () => void;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | null = null;
  #pauseMillis = FIRST_MILLIS;
  readonly #said = new Set<string>();
  #stopped = false;

  constructor(again: () => void, log: Logger) {
    this.#again = again;
    this.#log = log;
  }

  failed(error: unknown): void {
    const message = describeError(error);
    if (!this.#said.has(message)) this.#log.warn({ againInMillis: this.#pauseMillis }, message);
    this.#said.add(message);
    // What else fails meanwhile is tried again by the same look.
    if (this.#timer) return;
    this.#schedule(this.#pauseMillis * (0.9 + Math.random() * 0.2));
    this.#pauseMillis = Math.min(MAX_MILLIS, this.#pauseMillis * 2);
  }

  /** Nothing failed here, but a look is due. */
  soon(): void {
    this.#schedule(FIRST_MILLIS);
  }

  succeeded(): void {
    this.#pauseMillis = FIRST_MILLIS;
    this.#said.clear();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  #schedule(millis: number): void {
    if (this.#timer || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#again();
    }, millis);
  }
}
