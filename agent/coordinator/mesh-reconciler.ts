/** Keeps meshd's picture of each mesh equal to what the world wants, and its measurements at hand. */
import { EphemeshError } from "../model/errors.ts";
import type { LinkId, MeshId } from "../model/ids.ts";
import type { Counters, Measurements, MeshSpec } from "../model/meshd-messages.ts";
import { monotonicMillis } from "../model/time.ts";
import { meshSpec } from "./links.ts";
import { isOver, type Mesh, ownLeases } from "./mesh.ts";
import type { LinkState } from "./next-actions.ts";
import { chainNow, type Site } from "./site.ts";

/** Often while a link is on its way up or down, seldom while all is well. */
const MEASURE_MILLIS = 250;
const MEASURE_CALM_MILLIS = 1000;

export class MeshReconciler {
  readonly #site: Site;
  /** What meshd was told last, as text; forgotten when meshd starts anew. */
  readonly #applied = new Map<MeshId, string>();
  #links: ReadonlyMap<LinkId, LinkState> = new Map();
  #measurements: Measurements = { meshes: [] };
  #counters = new Map<string, Counters["links"][number]>();
  #nextMeasureMillis = 0;
  #startedAtMillis = Number.NaN;
  #failing = "";
  #running = false;

  constructor(site: Site) {
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

  isApplied(mesh: Mesh): boolean {
    return mesh.id !== null && this.#applied.has(mesh.id);
  }

  /** One run at a time: a call while one runs is as good as the next tick's. */
  async reconcile(meshes: readonly Mesh[]): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    await this.#reconcile(meshes).finally(() => {
      this.#running = false;
    });
  }

  async #reconcile(meshes: readonly Mesh[]): Promise<void> {
    for (const mesh of meshes) if (mesh.id !== null && mesh.dissolved) this.#applied.delete(mesh.id);
    const specs = meshes.flatMap((mesh) => this.#wanted(mesh) ?? []);
    if (specs.length === 0 && this.#applied.size === 0) return;
    try {
      if (monotonicMillis() >= this.#nextMeasureMillis) await this.#measure();
      for (const spec of specs) {
        const text = JSON.stringify(spec);
        if (this.#applied.get(spec.meshId) === text) continue;
        await this.#site.meshd.ask("applyMesh", { mesh: spec });
        this.#applied.set(spec.meshId, text);
        this.#nextMeasureMillis = 0;
      }
      this.#failing = "";
    } catch (error) {
      const said = error instanceof EphemeshError ? `${error.code} ${error.message}` : String(error);
      if (said !== this.#failing)
        this.#site.log.warn({ code: error instanceof EphemeshError ? error.code : "UNEXPECTED" }, `meshd: ${said}`);
      this.#failing = said;
      this.#nextMeasureMillis = monotonicMillis() + MEASURE_MILLIS;
    }
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

  async #measure(): Promise<void> {
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
    for (const link of counters.links) this.#counters.set(link.linkId, link);
    const calm = [...this.#links.values()].every(({ state }) => state === "up");
    this.#nextMeasureMillis = now + (calm ? MEASURE_CALM_MILLIS : MEASURE_MILLIS);
  }
}
