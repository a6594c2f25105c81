/** Again after a failure, but not at once, each time later, and said once: no log that is full in a minute. */
import type { Logger } from "pino";
import { backoff, withJitter } from "../model/backoff.ts";
import { describeError } from "../model/errors.ts";

const FIRST_MILLIS = 1_000;
const MAX_MILLIS = 30_000;

export class Retry {
  readonly #action: () => void;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;
  readonly #logged = new Set<string>();
  #stopped = false;

  constructor(again: () => void, log: Logger) {
    this.#action = again;
    this.#log = log;
  }

  failed(error: unknown): void {
    const message = describeError(error);
    const pauseMillis = backoff(this.#failures + 1, FIRST_MILLIS, MAX_MILLIS);
    if (!this.#logged.has(message)) this.#log.warn({ againInMillis: pauseMillis }, message);
    this.#logged.add(message);
    // What else fails meanwhile is tried again by the same look.
    if (this.#timer) return;
    this.#failures += 1;
    this.#schedule(withJitter(pauseMillis, 0.1));
  }

  /** Nothing failed here, but a look is due. */
  schedule(): void {
    this.#schedule(FIRST_MILLIS);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#logged.clear();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  #schedule(millis: number): void {
    if (this.#timer || this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#action();
    }, millis);
  }
}
