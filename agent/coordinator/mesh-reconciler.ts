/** Keeps meshd's picture of each mesh equal to what the world wants, and its measurements at hand. */
import { countsOf } from "../lease/metering.ts";
import { type LinkCounts, NOTHING_COUNTED, RunningCounts } from "../lease/running-counts.ts";
import type { EniEnd } from "../model/eni.ts";
import { EphemeshError } from "../model/errors.ts";
import type { LinkId, MeshId, RegionId } from "../model/ids.ts";
import type { Counters, Measurements, MeshSpec } from "../model/meshd-messages.ts";
import { monotonicMillis } from "../model/time.ts";
import { meshSpec } from "./links.ts";
import { isOver, linkOfLease, type Mesh, ownLeases } from "./mesh.ts";
import type { LinkState } from "./next-actions.ts";
import { chainNow, type Site } from "./site.ts";

/** Often while a link is on its way up or down, seldom while all is well. */
const MEASURE_MILLIS = 250;
const MEASURE_CALM_MILLIS = 1000;
const HOLD_MILLIS = 5000;

export type ReconcilerSite = Pick<Site, "world" | "self" | "config" | "clock" | "regions" | "meshd" | "log">;

export class MeshReconciler {
  readonly #site: ReconcilerSite;
  /** What meshd was told last, as text; forgotten when meshd starts anew. */
  readonly #applied = new Map<MeshId, string>();
  #links: ReadonlyMap<LinkId, LinkState> = new Map();
  #measurements: Measurements = { meshes: [] };
  #counters = new Map<string, Counters["links"][number]>();
  readonly #totals = new RunningCounts();
  #nextMeasureMillis = 0;
  #startedAtMillis = Number.NaN;
  /** Whether meshd was asked at all since this agent started: it may hold what was withdrawn meanwhile. */
  #hasLooked = false;
  #pausedUntilMillis = 0;
  #heldUntilMillis = 0;
  /** What failed last time, and was said then. */
  #failing: ReadonlySet<string> = new Set();
  #running = false;

  constructor(site: ReconcilerSite) {
    this.#site = site;
  }

  get links(): ReadonlyMap<LinkId, LinkState> {
    return this.#links;
  }

  get measurements(): Measurements {
    return this.#measurements;
  }

  get counters(): ReadonlyMap<string, Counters["links"][number]> {
    return this.#counters;
  }

  /** Inside which a peer can be talked to. */
  get enis(): readonly EniEnd[] {
    return this.#measurements.meshes.flatMap(({ links }) => links.filter(({ state }) => state === "up"));
  }

  isApplied(mesh: Mesh): boolean {
    return mesh.id !== null && this.#applied.has(mesh.id);
  }

  /**
   * After a reorganisation nothing is changed for a while: what was in the blocks that went is mostly in the next ones,
   * and its links are not taken down for that. What stays away is withdrawn then.
   */
  hold(nowMillis: number): void {
    this.#heldUntilMillis = nowMillis + HOLD_MILLIS;
  }

  /** One run at a time: a call while one runs is as good as the next tick's. */
  async reconcile(meshes: readonly Mesh[], nowMillis: number): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    await this.#reconcile(meshes, nowMillis).finally(() => {
      this.#running = false;
    });
  }

  async #reconcile(meshes: readonly Mesh[], nowMillis: number): Promise<void> {
    for (const mesh of meshes) if (mesh.id !== null && mesh.dissolved) this.#applied.delete(mesh.id);
    const failed = new Set<string>();
    const attempt = (work: () => Promise<void>) => work().catch((error: unknown) => void failed.add(describe(error)));
    let isAnyWanted = false;
    // It writes down when each lease's time was fixed: a full disk must not end the agent.
    await attempt(async () => {
      isAnyWanted = meshes.some((mesh) => this.#wanted(mesh) !== null);
    });
    if (!isAnyWanted && this.#applied.size === 0 && this.#hasLooked) {
      this.#measurements = { meshes: [] };
      return;
    }
    if (nowMillis < this.#pausedUntilMillis) return;
    // Measured first, whatever failed before: what a link that does not come up needs is decided by it.
    if (nowMillis >= this.#nextMeasureMillis)
      await attempt(async () => {
        await this.#measure(meshes);
        if (nowMillis >= this.#heldUntilMillis) await this.#withdraw(meshes);
      });
    for (const mesh of nowMillis < this.#heldUntilMillis ? [] : meshes)
      await attempt(async () => {
        // As it stands in this moment: what was wanted before the waiting may have been dissolved meanwhile.
        const spec = this.#wanted(this.#site.world().meshes.get(mesh.key) ?? mesh);
        const text = spec && JSON.stringify(spec);
        if (!spec || !text || this.#applied.get(spec.meshId) === text) return;
        await this.#site.meshd.ask("applyMesh", { mesh: spec });
        this.#applied.set(spec.meshId, text);
        this.#nextMeasureMillis = 0;
      });
    for (const said of failed) if (!this.#failing.has(said)) this.#site.log.warn(`meshd: ${said}`);
    this.#failing = failed;
    if (failed.size > 0) {
      this.#nextMeasureMillis = 0;
      this.#pausedUntilMillis = nowMillis + MEASURE_MILLIS;
    }
  }

  /** What meshd has though the chain granted nothing for it, or no longer: nobody would ever dissolve that. */
  async #withdraw(meshes: readonly Mesh[]): Promise<void> {
    const granted = meshes.filter((mesh) => ownLeases(mesh, this.#site.self).length > 0).map((mesh) => mesh.id);
    for (const { meshId } of this.#measurements.meshes) {
      if (granted.includes(meshId)) continue;
      this.#site.log.warn({ mesh: meshId }, "the chain has no lease of ours in this mesh; its links are taken down");
      await this.#site.meshd.ask("removeMesh", { meshId });
      this.#applied.delete(meshId);
    }
    this.#hasLooked = true;
  }

  /** Null while the mesh has nothing at meshd: no link agreed on yet, or dissolved. */
  #wanted(mesh: Mesh): MeshSpec | null {
    if (mesh.id === null || mesh.dissolved || mesh.links.size === 0) return null;
    const { self, config, clock } = this.#site;
    // Once no lease of ours lives, taking the mesh down is `dissolve`'s: nothing may be put up again behind it.
    if (ownLeases(mesh, self).every((lease) => isOver(mesh, lease, chainNow(this.#site)))) return null;
    const spec = meshSpec(
      { ...mesh, id: mesh.id },
      self,
      this.#site.regions(),
      config.routing,
      chainNow(this.#site),
      (s) => clock.toMonotonicMillis(s),
    );
    return spec.participants.length < 2 ? null : spec;
  }

  async #measure(meshes: readonly Mesh[]): Promise<void> {
    const { meshd } = this.#site;
    const [beat, measurements, counters] = await Promise.all([
      meshd.ask("heartbeat", {}),
      meshd.ask("measurements", {}),
      meshd.ask("counters", {}),
    ]);
    const now = monotonicMillis();
    const startedAt = now - beat.uptimeMillis;
    if (Math.abs(startedAt - this.#startedAtMillis) > 1000) this.#applied.clear();
    this.#startedAtMillis = startedAt;
    this.#measurements = measurements;
    this.#links = new Map(
      measurements.meshes.flatMap((mesh) =>
        mesh.links.map(
          (link) =>
            [
              link.linkId,
              { attempt: link.attempt, state: link.state, forMillis: Math.max(0, now - link.sinceMonotonicMillis) },
            ] as const,
        ),
      ),
    );
    const signed = signedCounts(meshes, this.#site.self);
    for (const link of counters.links) {
      const total = this.#totals.total(link.linkId, link, signed.get(link.linkId) ?? NOTHING_COUNTED);
      this.#counters.set(link.linkId, { ...link, ...total });
    }
    const calm = [...this.#links.values()].every(({ state }) => state === "up");
    this.#nextMeasureMillis = now + (calm ? MEASURE_CALM_MILLIS : MEASURE_MILLIS);
  }
}

/** Of leased links, whose number is the lease's. */
function signedCounts(meshes: readonly Mesh[], self: RegionId): ReadonlyMap<string, LinkCounts> {
  const receipts = meshes.flatMap((mesh) =>
    ownLeases(mesh, self).map(({ id, buyer }) => {
      const receipt = mesh.receipts.get(id)?.receipt ?? null;
      return [linkOfLease(id) as string, countsOf(receipt, buyer === self ? "buyer" : "seller")] as const;
    }),
  );
  return new Map(receipts);
}

function describe(error: unknown): string {
  return error instanceof EphemeshError ? `${error.code} ${error.message}` : String(error);
}
