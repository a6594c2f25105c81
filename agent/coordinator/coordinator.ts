/**
 * Runs every mesh's life: folds messages into the world, asks `nextActions` what must happen, and lets handlers do it,
 * one at a time for each action's key, with back-off and jitter after a failure.
 */
import type { ChainFollower, Followed } from "../chain/follower.ts";
import type { EniEnd } from "../model/eni.ts";
import { describeError, EphemeshError } from "../model/errors.ts";
import type { LinkId } from "../model/ids.ts";
import type { Profile } from "../model/market.ts";
import { monotonicMillis } from "../model/time.ts";
import { handle } from "./handlers/handle.ts";
import { isTrading, type Mesh, phaseOf } from "./mesh.ts";
import { MeshReconciler } from "./mesh-reconciler.ts";
import type { LocalMessage, Message } from "./messages.ts";
import { type Action, COMPARE_SECONDS, keyOfAction, type LinkState, nextActions } from "./next-actions.ts";
import { emptyWorld, fold, reduce, type World } from "./reduce.ts";
import { registerBudget } from "./register-budget.ts";
import { leadSeconds } from "./shortfall.ts";
import { chainNow, type Site } from "./site.ts";
import { loadWorld } from "./world-store.ts";

/**
 * How often it looks at its meshes, and asks the chain: while a market is open, links are made or leases settled; while
 * leases only run; at rest.
 */
const PACES = {
  active: { tickMillis: 100, pollMillis: 150 },
  steady: { tickMillis: 250, pollMillis: 1_000 },
  resting: { tickMillis: 1_000, pollMillis: 1_000 },
} as const;
const REGISTER_BUDGET_MILLIS = 60_000;
const FIRST_BACKOFF_MILLIS = 100;
const MAX_BACKOFF_MILLIS = 5000;
/** "Not yet" is part of agreeing with somebody; what lasts longer is worth a line. */
const NOTICEABLE_FAILURES = 8;
const SETTLE_DOWN_MILLIS = 250;
const MANY_ATTEMPTS = 1000;

interface Attempts {
  running: boolean;
  failures: number;
  notBeforeMillis: number;
}

export class Coordinator {
  #world: World = emptyWorld;
  /** Over, and with nothing left to do. */
  readonly #finished = new WeakSet<Mesh>();
  readonly #attempts = new Map<string, Attempts>();
  readonly #site: Site;
  readonly #follower: ChainFollower;
  readonly #reconciler: MeshReconciler;
  readonly #onRegisterChanged: () => Promise<void>;
  readonly #onChainMessage: (message: Message) => void;
  readonly #onEnis: (enis: readonly EniEnd[]) => void;
  /** Before it has passed nothing is read from the chain, and nothing sent; null: it has. */
  #check: (() => Promise<void>) | null;
  /** What it found, where this agent has no business on that chain. */
  #refusal: EphemeshError | null = null;
  #blockNumber = 0;
  #headNumber = 0;
  #registerIsStale = false;
  /** In a row; null: not asked yet, and nobody knows whether it answers. */
  #chainFailures: number | null;
  #polledAtMillis = Number.NEGATIVE_INFINITY;
  #polling = false;
  #nextRegisterMillis = 0;
  #running = new Set<Promise<void>>();
  #wake: () => void = () => undefined;

  constructor(
    site: Site,
    follower: ChainFollower,
    onRegisterChanged: () => Promise<void>,
    onChainMessage: (message: Message) => void,
    onEnis: (enis: readonly EniEnd[]) => void,
    check: (() => Promise<void>) | null,
  ) {
    this.#check = check;
    // Whoever starts without having checked the chain has asked it, in vain.
    this.#chainFailures = check ? 1 : null;
    this.#site = site;
    this.#follower = follower;
    this.#reconciler = new MeshReconciler(site);
    this.#onRegisterChanged = onRegisterChanged;
    this.#onChainMessage = onChainMessage;
    this.#onEnis = onEnis;
  }

  get world(): World {
    return this.#world;
  }

  get links(): ReadonlyMap<LinkId, LinkState> {
    return this.#reconciler.links;
  }

  get chainReachable(): boolean {
    return this.#chainFailures === 0;
  }

  get blockNumber(): number {
    return this.#blockNumber;
  }

  get draining(): boolean {
    return this.#world.draining;
  }

  get reconciler(): MeshReconciler {
    return this.#reconciler;
  }

  dispatch(message: LocalMessage): void {
    this.#site.journal.append(message);
    this.#world = reduce(this.#world, message);
    this.#wake();
  }

  /** Folds the journal again: at start, and when a reorganisation took something back. */
  refold(): void {
    this.#world = loadWorld(this.#site.journal);
  }

  async run(): Promise<void> {
    const { signal } = this.#site;
    this.refold();
    this.#blockNumber = this.#headNumber = this.#site.journal.cursor()?.blockNumber ?? 0;
    while (!signal.aborted && !this.#refusal) {
      const pace = this.#pace();
      this.#pollChain(pace.pollMillis);
      if (this.#site.clock.isSet && this.#chainFailures !== null) {
        void this.#reconciler
          .reconcile(this.#activeMeshes(), monotonicMillis())
          .then(() => this.#onEnis(this.#reconciler.enis))
          .catch((error: unknown) => this.#site.log.error({ err: error }, "the wanted meshes"));
        for (const mesh of this.#unfinished()) this.#advance(mesh);
        this.#registerBudget();
      }
      await this.#untilWoken(pace.tickMillis);
    }
    if (this.#refusal) throw this.#refusal;
    await Promise.allSettled(this.#running);
  }

  #registerBudget(): void {
    if (monotonicMillis() < this.#nextRegisterMillis || !this.chainReachable) return;
    this.#nextRegisterMillis = monotonicMillis() + REGISTER_BUDGET_MILLIS;
    registerBudget(this.#site).catch((error: unknown) => {
      if (!this.#site.signal.aborted) this.#site.log.warn(`the part in next week's budgets: ${describeError(error)}`);
    });
  }

  /** Years of meshes that are over cost a look at a set each; whatever happens to one makes it another. */
  #unfinished(): Mesh[] {
    return [...this.#world.meshes.values()].filter((mesh) => !this.#finished.has(mesh));
  }

  #activeMeshes(): Mesh[] {
    return this.#unfinished().filter((mesh) => this.#isActive(mesh, this.#nowSeconds()));
  }

  #nowSeconds(): number {
    return this.#site.clock.isSet ? chainNow(this.#site) : 0;
  }

  #pace(): (typeof PACES)[keyof typeof PACES] {
    const active = this.#activeMeshes();
    if (active.length === 0) return PACES.resting;
    const now = this.#nowSeconds();
    const onlyRun = active.every((mesh) => phaseOf(mesh, this.#site.self, now) === "running" && !isTrading(mesh));
    return onlyRun ? PACES.steady : PACES.active;
  }

  #isActive(mesh: Mesh, nowSeconds: number): boolean {
    const phase = phaseOf(mesh, this.#site.self, nowSeconds);
    return phase !== "over" || isTrading(mesh) || this.#reconciler.isApplied(mesh);
  }

  #advance(mesh: Mesh): void {
    const facts = {
      self: this.#site.self,
      blockNumber: this.#blockNumber,
      headNumber: this.#headNumber,
      nowSeconds: chainNow(this.#site),
      chainReachable: this.chainReachable,
      clearBlocks: this.#site.constants.clearBlocks,
      leadSeconds: leadSeconds(this.#site.constants, this.#profileOf(mesh)),
      draining: this.draining,
      sells: this.#site.config.sell !== undefined,
      links: this.#reconciler.links,
    };
    const actions = nextActions(mesh, facts);
    for (const action of actions) this.#start(mesh, action);
    if (actions.length === 0 && facts.chainReachable && !this.#isActive(mesh, facts.nowSeconds))
      this.#finished.add(mesh);
  }

  #profileOf({ event }: Mesh): Profile {
    return (event && this.#site.config.buy[event.kind]?.profile) ?? "urgent";
  }

  #start(mesh: Mesh, action: Action): void {
    const key = keyOfAction(mesh, action);
    const attempts = this.#attempts.get(key) ?? { running: false, failures: 0, notBeforeMillis: 0 };
    if (attempts.running || monotonicMillis() < attempts.notBeforeMillis) return;
    attempts.running = true;
    this.#attempts.set(key, attempts);
    const work = handle(this.#site, mesh, action)
      .then(
        () => this.#succeeded(key, action),
        (error: unknown) => this.#failed(key, action, attempts, error),
      )
      .then(() => {
        this.#running.delete(work);
        this.#wake();
      });
    this.#running.add(work);
  }

  /** What an action did shows in the state only when its event is read: until then it is not done again at once. */
  #succeeded(key: string, { kind }: Action): void {
    if (this.#attempts.size > MANY_ATTEMPTS)
      for (const [old, { running }] of this.#attempts) if (!running) this.#attempts.delete(old);
    const pause = kind === "compare-topology" ? COMPARE_SECONDS * 1000 : SETTLE_DOWN_MILLIS;
    this.#attempts.set(key, { running: false, failures: 0, notBeforeMillis: monotonicMillis() + pause });
  }

  #failed(key: string, action: Action, attempts: Attempts, error: unknown): void {
    attempts.running = false;
    attempts.failures += 1;
    const known = error instanceof EphemeshError ? error : null;
    const early = known?.retryAfterSeconds ?? null;
    const backOff = Math.min(MAX_BACKOFF_MILLIS, FIRST_BACKOFF_MILLIS * 2 ** (attempts.failures - 1));
    const wait = early === null ? backOff * (0.75 + Math.random() / 2) : early * 1000;
    attempts.notBeforeMillis = monotonicMillis() + wait;
    if (this.#site.signal.aborted) return;
    const code = known?.code ?? "UNEXPECTED";
    const isNoticeable = attempts.failures > NOTICEABLE_FAILURES && early === null;
    const level = known ? (isNoticeable ? "warn" : "debug") : "error";
    this.#site.log[level](
      { code, action: action.kind, key, failures: attempts.failures, err: level === "error" ? error : undefined },
      error instanceof Error ? error.message : String(error),
    );
  }

  #pollChain(calmMillis: number): void {
    const pauseMillis = Math.min(10_000, calmMillis * 2 ** Math.min(6, this.#chainFailures ?? 0));
    if (this.#polling || monotonicMillis() < this.#polledAtMillis + pauseMillis) return;
    this.#polling = true;
    this.#lookAtChain()
      .then(async (followed) => {
        if (this.#chainFailures) this.#site.log.info("the chain answers again");
        this.#chainFailures = 0;
        if (followed) this.#absorb(followed);
        if (this.#registerIsStale) {
          await this.#onRegisterChanged();
          this.#registerIsStale = false;
        }
      })
      .catch((error: unknown) => {
        if (this.#check && error instanceof EphemeshError && !error.retryable) {
          this.#refusal = error;
          return this.#wake();
        }
        if (!this.#chainFailures && !this.#site.signal.aborted)
          this.#site.log.warn({ err: error }, "the chain cannot be reached; leases that run are kept up");
        this.#chainFailures = (this.#chainFailures ?? 0) + 1;
        return this.#site.sender.handOver().catch((failure: unknown) => {
          this.#site.log.debug(describeError(failure));
        });
      })
      .finally(() => {
        this.#polledAtMillis = monotonicMillis();
        this.#polling = false;
      });
  }

  async #lookAtChain(): Promise<Followed | null> {
    await this.#check?.();
    this.#check = null;
    return this.#follower.advance();
  }

  #absorb(followed: Followed): void {
    this.#blockNumber = followed.head.number;
    this.#headNumber = followed.latestNumber;
    this.#registerIsStale ||= followed.registerChanged;
    if (followed.forkedAt !== null) {
      this.#site.log.warn({ forkedAt: followed.forkedAt }, "the chain was reorganised; what it took back is withdrawn");
      this.refold();
      this.#reconciler.hold(monotonicMillis());
      void this.#site.sender.resume(this.#site.signal).catch(() => undefined);
    } else this.#world = fold(this.#world, followed.messages);
    followed.messages.forEach(this.#onChainMessage);
    this.#wake();
  }

  #untilWoken(millis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, millis);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#site.signal.aborted) this.#wake();
    });
  }
}
