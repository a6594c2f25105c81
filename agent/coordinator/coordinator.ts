/**
 * Runs the life of every mesh: folds messages into the world, asks `nextActions` what must happen now, and hands that to
 * the runner. Everything else has a part of its own: the chain is asked by ChainPoller, actions are tried by
 * ActionRunner, meshd is told by MeshApplier and read by Telemetry.
 */
import type { ChainFollower, ChainProgress } from "../chain/follower.ts";
import type { EniEnd } from "../model/eni.ts";
import type { Profile } from "../model/market.ts";
import { monotonicMillis } from "../model/time.ts";
import { ActionRunner } from "./action-runner.ts";
import { ChainPoller } from "./chain-poller.ts";
import { handle } from "./handlers/handle.ts";
import { isTrading, type Mesh, phaseOf } from "./mesh.ts";
import { MeshApplier } from "./mesh-applier.ts";
import type { LocalMessage, Message } from "./messages.ts";
import { nextActions } from "./next-actions.ts";
import { emptyWorld, fold, reduce, type World } from "./reduce.ts";
import { BudgetRegistration } from "./register-budget.ts";
import { leadSeconds } from "./shortfall.ts";
import { chainNow, type Site } from "./site.ts";
import { Telemetry } from "./telemetry.ts";
import { loadWorld, refreshSnapshot, SNAPSHOT_MESSAGES } from "./world-store.ts";

/**
 * How often it looks at its meshes and asks the chain: while an auction is open, links are made or leases settled; while
 * leases only run; with no mesh under way.
 */
const PACES = {
  busy: { tickMillis: 100, pollMillis: 150 },
  steady: { tickMillis: 250, pollMillis: 1_000 },
  idle: { tickMillis: 1_000, pollMillis: 1_000 },
} as const;

export interface CoordinatorOptions {
  readonly follower: ChainFollower;
  /** For an agent that started without the chain: checks it when it answers. A refusal ends `run`. */
  readonly checkChain: (() => Promise<void>) | null;
  readonly refreshRegister: () => Promise<void>;
  /** Told every message once, from the chain or from here, when it is in the world. */
  readonly onMessage: (message: Message) => void;
  /** Told after each look at meshd which interfaces are up. */
  readonly onEnis: (enis: readonly EniEnd[]) => void;
}

export class Coordinator {
  readonly telemetry: Telemetry;
  readonly #site: Site;
  readonly #options: CoordinatorOptions;
  readonly #poller: ChainPoller;
  readonly #runner: ActionRunner;
  readonly #applier: MeshApplier;
  readonly #budget: BudgetRegistration;
  #world: World = emptyWorld;
  /** Meshes with nothing left to do. A change makes another object of a mesh, which is looked at again. */
  readonly #finished = new WeakSet<Mesh>();
  #foldedSinceSnapshot = 0;
  #wake: () => void = () => undefined;

  constructor(site: Site, options: CoordinatorOptions) {
    this.#site = site;
    this.#options = options;
    this.telemetry = new Telemetry(site);
    this.#applier = new MeshApplier(site, this.telemetry);
    this.#budget = new BudgetRegistration(site);
    this.#runner = new ActionRunner(
      site,
      (mesh, action) => handle(site, mesh, action),
      () => this.#wake(),
    );
    this.#poller = new ChainPoller(site, {
      follower: options.follower,
      check: options.checkChain,
      refreshRegister: options.refreshRegister,
      onProgress: (progress) => this.#takeProgress(progress),
      onRefusal: () => this.#wake(),
    });
  }

  get world(): World {
    return this.#world;
  }

  get chainReachable(): boolean {
    return this.#poller.isReachable;
  }

  /** How long the newest block has been the newest; null: none was seen since the start. */
  get headAgeSeconds(): number | null {
    return this.#poller.headAgeSeconds(monotonicMillis());
  }

  get blockNumber(): number {
    return this.#poller.blockNumber;
  }

  get draining(): boolean {
    return this.#world.draining;
  }

  /** Journals the message, then folds it. */
  dispatch(message: LocalMessage): void {
    this.#site.journal.append(message);
    this.#world = reduce(this.#world, message);
    this.#countFolded(1);
    this.#tell(message);
    this.#wake();
  }

  /** Until the signal. @throws EphemeshError what `checkChain` refused */
  async run(): Promise<void> {
    const { signal, clock } = this.#site;
    this.#world = loadWorld(this.#site.journal, this.#warnOfSnapshot);
    while (!signal.aborted && !this.#poller.refusal) {
      const pace = this.#pace();
      this.#poller.poll(pace.pollMillis);
      if (clock.isSet && this.#poller.wasAsked) this.#tick();
      await this.#untilWoken(pace.tickMillis);
    }
    if (this.#poller.refusal) throw this.#poller.refusal;
    await this.#runner.idle();
  }

  #tick(): void {
    void this.#applier
      .apply(this.#activeMeshes(), monotonicMillis())
      .then(() => this.#options.onEnis(this.telemetry.enis))
      .catch((error: unknown) => this.#site.log.error({ err: error }, "meshd could not be told what is wanted"));
    for (const mesh of this.#unfinished()) this.#advance(mesh);
    if (this.chainReachable) this.#budget.run(monotonicMillis());
  }

  #advance(mesh: Mesh): void {
    const { self, constants, config } = this.#site;
    const facts = {
      self,
      blockNumber: this.#poller.blockNumber,
      headNumber: this.#poller.headNumber,
      nowSeconds: chainNow(this.#site),
      chainReachable: this.chainReachable,
      clearBlocks: constants.clearBlocks,
      leadSeconds: leadSeconds(constants, this.#profileOf(mesh)),
      draining: this.draining,
      sells: config.sell !== undefined,
      links: this.telemetry.links,
    };
    const actions = nextActions(mesh, facts);
    for (const action of actions) this.#runner.start(mesh, action);
    if (actions.length === 0 && facts.chainReachable && !this.#isActive(mesh, facts.nowSeconds))
      this.#finished.add(mesh);
  }

  #takeProgress({ messages, forkedAt }: ChainProgress): void {
    if (forkedAt === null) {
      this.#world = fold(this.#world, messages);
      this.#countFolded(messages.length);
    } else {
      const { log, journal, sender, signal } = this.#site;
      log.warn({ forkedAt }, "the chain was reorganised; messages of the removed blocks are withdrawn");
      this.#world = loadWorld(journal, this.#warnOfSnapshot);
      this.#applier.pauseChanges(monotonicMillis());
      void sender.resume(signal).catch(() => undefined);
    }
    for (const message of messages) this.#tell(message);
    this.#wake();
  }

  /** Saves a snapshot when one is due, so that the next start has little to fold. */
  #countFolded(messages: number): void {
    this.#foldedSinceSnapshot += messages;
    if (this.#foldedSinceSnapshot < SNAPSHOT_MESSAGES) return;
    this.#foldedSinceSnapshot = 0;
    refreshSnapshot(this.#site.journal, this.#warnOfSnapshot);
  }

  readonly #warnOfSnapshot = (error: unknown): void =>
    this.#site.log.warn({ err: error }, "no snapshot of the state was saved; the next start takes longer");

  /** What the observer makes of a message must not stop the market. */
  #tell(message: Message): void {
    try {
      this.#options.onMessage(message);
    } catch (error) {
      this.#site.log.error({ err: error, type: message.type }, "a message could not be shown");
    }
  }

  #profileOf({ event }: Mesh): Profile {
    return (event && this.#site.config.buy[event.kind]?.profile) ?? "urgent";
  }

  #unfinished(): Mesh[] {
    return [...this.#world.meshes.values()].filter((mesh) => !this.#finished.has(mesh));
  }

  #activeMeshes(): Mesh[] {
    const nowSeconds = this.#nowSeconds();
    return this.#unfinished().filter((mesh) => this.#isActive(mesh, nowSeconds));
  }

  #isActive(mesh: Mesh, nowSeconds: number): boolean {
    const phase = phaseOf(mesh, this.#site.self, nowSeconds);
    return phase !== "over" || isTrading(mesh) || this.#applier.isApplied(mesh);
  }

  #pace(): (typeof PACES)[keyof typeof PACES] {
    const active = this.#activeMeshes();
    if (active.length === 0) return PACES.idle;
    const nowSeconds = this.#nowSeconds();
    const onlyRuns = (mesh: Mesh) => phaseOf(mesh, this.#site.self, nowSeconds) === "running" && !isTrading(mesh);
    return active.every(onlyRuns) ? PACES.steady : PACES.busy;
  }

  #nowSeconds(): number {
    return this.#site.clock.isSet ? chainNow(this.#site) : 0;
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
