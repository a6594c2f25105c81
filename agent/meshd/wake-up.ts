/** Runs an action at a given time; a later call replaces the earlier one. */
import { monotonicMillis } from "../model/time.ts";

/** The longest delay that a timer accepts, 24 days. */
const MAX_TIMEOUT_MILLIS = 0x7fff_ffff;

export class WakeUp {
  readonly #action: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(action: () => void) {
    this.#action = action;
  }

  /** `atMillis`: monotonic; infinity: never. Wakes up after 24 days at the latest. */
  schedule(atMillis: number): void {
    this.cancel();
    if (!Number.isFinite(atMillis)) return;
    const waitMillis = Math.min(MAX_TIMEOUT_MILLIS, Math.max(1, atMillis - monotonicMillis() + 1));
    this.#timer = setTimeout(this.#action, waitMillis);
  }

  cancel(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
