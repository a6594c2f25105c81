/**
 * Asks the chain for new blocks: at a pace, and less often while no node answers. An agent that started without the
 * chain checks it first; where that check refuses, `refusal` says why, and the agent must end.
 */
import type { ChainFollower, ChainProgress } from "../chain/follower.ts";
import { backoff } from "../model/backoff.ts";
import { describeError, EphemeshError } from "../model/errors.ts";
import { monotonicMillis } from "../model/time.ts";
import type { Site } from "./site.ts";

const MAX_PAUSE_MILLIS = 10_000;

export interface ChainPollerOptions {
  readonly follower: ChainFollower;
  /** Must pass before anything is read or sent; null: it has passed. */
  readonly check: (() => Promise<void>) | null;
  readonly refreshRegister: () => Promise<void>;
  readonly onProgress: (progress: ChainProgress) => void;
  readonly onRefusal: () => void;
}

export class ChainPoller {
  readonly #site: Pick<Site, "journal" | "sender" | "log" | "signal">;
  readonly #options: ChainPollerOptions;
  #check: (() => Promise<void>) | null;
  #refusal: EphemeshError | null = null;
  #blockNumber: number;
  #headNumber: number;
  /** When that block was first seen; null: none was seen since the start. */
  #headSeenAtMillis: number | null = null;
  #registerIsStale = false;
  /** In a row; null: the chain was not asked yet. */
  #failures: number | null;
  #polledAtMillis = Number.NEGATIVE_INFINITY;
  #isPolling = false;
  /** Of the last failure. */
  #lastCode = "";

  constructor(site: Pick<Site, "journal" | "sender" | "log" | "signal">, options: ChainPollerOptions) {
    this.#site = site;
    this.#options = options;
    this.#check = options.check;
    // A check is left to do where the chain did not answer at the start.
    this.#failures = options.check ? 1 : null;
    this.#blockNumber = this.#headNumber = site.journal.cursor()?.blockNumber ?? 0;
  }

  get wasAsked(): boolean {
    return this.#failures !== null;
  }

  get isReachable(): boolean {
    return this.#failures === 0;
  }

  /** Why this agent must not run on this chain. */
  get refusal(): EphemeshError | null {
    return this.#refusal;
  }

  /** Up to which events are known: the head less the finality depth. */
  get blockNumber(): number {
    return this.#blockNumber;
  }

  get headNumber(): number {
    return this.#headNumber;
  }

  /** How long the newest block has been the newest; null: none was seen since the start. */
  headAgeSeconds(nowMillis: number): number | null {
    return this.#headSeenAtMillis === null
      ? null
      : Math.max(0, Math.round((nowMillis - this.#headSeenAtMillis) / 1000));
  }

  /** Asks once, unless it is too early or the last answer has not come. */
  poll(paceMillis: number): void {
    const pauseMillis = backoff((this.#failures ?? 0) + 1, paceMillis, MAX_PAUSE_MILLIS);
    if (this.#isPolling || monotonicMillis() < this.#polledAtMillis + pauseMillis) return;
    this.#isPolling = true;
    this.#ask()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#polledAtMillis = monotonicMillis();
        this.#isPolling = false;
      });
  }

  async #ask(): Promise<void> {
    await this.#check?.();
    this.#check = null;
    const progress = await this.#options.follower.advance();
    if (this.#failures) this.#site.log.info("the chain answers again");
    this.#failures = 0;
    if (progress) {
      this.#blockNumber = progress.head.number;
      this.#headNumber = progress.latestNumber;
      this.#headSeenAtMillis = monotonicMillis();
      this.#registerIsStale ||= progress.registerChanged;
      this.#options.onProgress(progress);
    }
    if (!this.#registerIsStale) return;
    await this.#options.refreshRegister();
    this.#registerIsStale = false;
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#check && error instanceof EphemeshError && !error.retryable) {
      this.#refusal = error;
      return this.#options.onRefusal();
    }
    const { log, sender, signal } = this.#site;
    const code = error instanceof EphemeshError ? error.code : "UNEXPECTED";
    // Each kind of failure once, not each attempt.
    if ((!this.#failures || code !== this.#lastCode) && !signal.aborted)
      log.warn({ code, err: error }, `the chain cannot be read: ${describeError(error)}`);
    this.#lastCode = code;
    this.#failures = (this.#failures ?? 0) + 1;
    await sender.handOver().catch((failure: unknown) => log.debug(describeError(failure)));
  }
}
