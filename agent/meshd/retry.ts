/** Repeats an action after failures, with exponential back-off (1 s to 30 s, with jitter); each error is logged once. */
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

  /** Logs the error, unless the same one is logged already, and schedules the action. */
  reportFailure(error: unknown): void {
    const message = describeError(error);
    const pauseMillis = backoff(this.#failures + 1, FIRST_MILLIS, MAX_MILLIS);
    if (!this.#logged.has(message)) this.#log.warn({ againInMillis: pauseMillis }, message);
    this.#logged.add(message);
    // Further failures wait for the same retry.
    if (this.#timer) return;
    this.#failures += 1;
    this.#schedule(withJitter(pauseMillis, 0.1));
  }

  /** Runs the action in 1 s though nothing failed. */
  schedule(): void {
    this.#schedule(FIRST_MILLIS);
  }

  /** The next failure is logged again, and waits 1 s. */
  reportSuccess(): void {
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
