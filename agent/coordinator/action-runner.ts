/** Runs actions: one attempt at a time for each key, and after a failure again, later each time. */
import { backoff, withJitter } from "../model/backoff.ts";
import { EphemeshError } from "../model/errors.ts";
import { monotonicMillis } from "../model/time.ts";
import type { Mesh } from "./mesh.ts";
import { type Action, COMPARE_SECONDS, keyOfAction } from "./next-actions.ts";
import type { Site } from "./site.ts";

const FIRST_PAUSE_MILLIS = 100;
const MAX_PAUSE_MILLIS = 5000;
/** What an action did shows in the state only when its event is read: it is not repeated before. */
const REPEAT_MILLIS = 250;
/** "Not yet" is a usual answer of a peer; what fails more often than this is logged as a warning. */
const MAX_QUIET_FAILURES = 8;
const MAX_REMEMBERED_KEYS = 1000;

interface Attempt {
  isRunning: boolean;
  /** In a row. */
  failures: number;
  notBeforeMillis: number;
}

export class ActionRunner {
  readonly #site: Pick<Site, "log" | "signal">;
  readonly #perform: (mesh: Mesh, action: Action) => Promise<void>;
  readonly #onEnd: () => void;
  readonly #attempts = new Map<string, Attempt>();
  readonly #running = new Set<Promise<void>>();

  /** @param onEnd called after each attempt, whatever came of it */
  constructor(
    site: Pick<Site, "log" | "signal">,
    perform: (mesh: Mesh, action: Action) => Promise<void>,
    onEnd: () => void,
  ) {
    this.#site = site;
    this.#perform = perform;
    this.#onEnd = onEnd;
  }

  /** Starts the action, unless one of its key runs or its pause is not over. */
  start(mesh: Mesh, action: Action): void {
    const key = keyOfAction(mesh, action);
    const attempt = this.#attempts.get(key) ?? { isRunning: false, failures: 0, notBeforeMillis: 0 };
    if (attempt.isRunning || monotonicMillis() < attempt.notBeforeMillis) return;
    attempt.isRunning = true;
    this.#attempts.set(key, attempt);
    const run = this.#perform(mesh, action)
      .then(
        () => this.#succeeded(attempt, action),
        (error: unknown) => this.#failed(key, attempt, action, error),
      )
      .then(() => {
        this.#running.delete(run);
        this.#onEnd();
      });
    this.#running.add(run);
  }

  /** Resolves when no attempt runs. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  #succeeded(attempt: Attempt, { kind }: Action): void {
    if (this.#attempts.size > MAX_REMEMBERED_KEYS)
      for (const [key, { isRunning }] of this.#attempts) if (!isRunning) this.#attempts.delete(key);
    attempt.isRunning = false;
    attempt.failures = 0;
    attempt.notBeforeMillis =
      monotonicMillis() + (kind === "compare-topology" ? COMPARE_SECONDS * 1000 : REPEAT_MILLIS);
  }

  #failed(key: string, attempt: Attempt, action: Action, error: unknown): void {
    attempt.isRunning = false;
    attempt.failures += 1;
    const known = error instanceof EphemeshError ? error : null;
    const laterSeconds = known?.retryAfterSeconds ?? null;
    const pauseMillis =
      laterSeconds === null
        ? withJitter(backoff(attempt.failures, FIRST_PAUSE_MILLIS, MAX_PAUSE_MILLIS))
        : laterSeconds * 1000;
    attempt.notBeforeMillis = monotonicMillis() + pauseMillis;
    if (this.#site.signal.aborted) return;
    const isNoticeable = attempt.failures > MAX_QUIET_FAILURES && laterSeconds === null;
    const level = known ? (isNoticeable ? "warn" : "debug") : "error";
    this.#site.log[level](
      {
        ...{ code: known?.code ?? "UNEXPECTED", action: action.kind, key, failures: attempt.failures },
        err: level === "error" ? error : undefined,
      },
      error instanceof Error ? error.message : String(error),
    );
  }
}
