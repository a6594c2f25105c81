/** Tells meshd which meshes this region wants, and takes down what the chain granted nothing for. */
import { EphemeshError } from "../model/errors.ts";
import type { MeshId } from "../model/ids.ts";
import type { MeshSpec } from "../model/meshd-messages.ts";
import { meshSpec } from "./links.ts";
import { isOver, type Mesh, ownLeases } from "./mesh.ts";
import { chainNow, type Site } from "./site.ts";
import type { Telemetry } from "./telemetry.ts";

/** After a failure meshd is left alone for this long. */
const FAILURE_PAUSE_MILLIS = 250;
const REORGANISATION_PAUSE_MILLIS = 5000;

export type ApplierSite = Pick<Site, "world" | "self" | "config" | "clock" | "regions" | "meshd" | "log">;

export class MeshApplier {
  readonly #site: ApplierSite;
  readonly #telemetry: Telemetry;
  /** What meshd was told last, as text; forgotten when meshd starts anew. */
  readonly #applied = new Map<MeshId, string>();
  /** Whether meshd was asked since this agent started: it may have a mesh whose leases the chain took back meanwhile. */
  #hasLooked = false;
  #pausedUntilMillis = 0;
  #unchangedUntilMillis = 0;
  /** What failed last time, and was logged then. */
  #failures: ReadonlySet<string> = new Set();
  #isRunning = false;

  constructor(site: ApplierSite, telemetry: Telemetry) {
    this.#site = site;
    this.#telemetry = telemetry;
  }

  isApplied(mesh: Mesh): boolean {
    return mesh.id !== null && this.#applied.has(mesh.id);
  }

  /**
   * Changes nothing for a while after a reorganisation: what was in the removed blocks is mostly in the next ones, and
   * its links need not go for that. What is still missing then is taken down.
   */
  pauseChanges(nowMillis: number): void {
    this.#unchangedUntilMillis = nowMillis + REORGANISATION_PAUSE_MILLIS;
  }

  /** Reads the telemetry if it is due, then applies what changed. A call while one runs does nothing. */
  async apply(meshes: readonly Mesh[], nowMillis: number): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    await this.#apply(meshes, nowMillis).finally(() => {
      this.#isRunning = false;
    });
  }

  async #apply(meshes: readonly Mesh[], nowMillis: number): Promise<void> {
    for (const mesh of meshes) if (mesh.id !== null && mesh.dissolved) this.#applied.delete(mesh.id);
    const failures = new Set<string>();
    const attempt = (work: () => Promise<void>) => work().catch((error: unknown) => void failures.add(describe(error)));
    let isAnyWanted = false;
    // Each lease's time is written to the journal when it is first needed: a full disk must not end the agent.
    await attempt(async () => {
      isAnyWanted = meshes.some((mesh) => this.#wanted(mesh) !== null);
    });
    if (!isAnyWanted && this.#applied.size === 0 && this.#hasLooked) return this.#telemetry.clear();
    if (nowMillis < this.#pausedUntilMillis) return;
    const mayChange = nowMillis >= this.#unchangedUntilMillis;
    // First, whatever failed before: the next actions for a link that does not come up depend on it.
    if (this.#telemetry.isDue(nowMillis))
      await attempt(async () => {
        const { meshdRestarted } = await this.#telemetry.read(meshes);
        if (meshdRestarted) this.#applied.clear();
        if (mayChange) await this.#withdraw(meshes);
      });
    for (const mesh of mayChange ? meshes : []) await attempt(() => this.#applyMesh(mesh));
    for (const failure of failures) if (!this.#failures.has(failure)) this.#site.log.warn(`meshd: ${failure}`);
    this.#failures = failures;
    if (failures.size === 0) return;
    this.#telemetry.expire();
    this.#pausedUntilMillis = nowMillis + FAILURE_PAUSE_MILLIS;
  }

  async #applyMesh(mesh: Mesh): Promise<void> {
    // As it is now: it may have been dissolved during the waiting.
    const spec = this.#wanted(this.#site.world().meshes.get(mesh.key) ?? mesh);
    const text = spec && JSON.stringify(spec);
    if (!spec || !text || this.#applied.get(spec.meshId) === text) return;
    await this.#site.meshd.ask("applyMesh", { mesh: spec });
    this.#applied.set(spec.meshId, text);
    this.#telemetry.expire();
  }

  /** Meshes of meshd without a lease of ours on the chain: nobody would ever dissolve them. */
  async #withdraw(meshes: readonly Mesh[]): Promise<void> {
    const granted = meshes.filter((mesh) => ownLeases(mesh, this.#site.self).length > 0).map((mesh) => mesh.id);
    for (const { meshId } of this.#telemetry.measurements.meshes) {
      if (granted.includes(meshId)) continue;
      this.#site.log.warn({ mesh: meshId }, "the chain has no lease of ours in this mesh; its links are taken down");
      await this.#site.meshd.ask("removeMesh", { meshId });
      this.#applied.delete(meshId);
    }
    this.#hasLooked = true;
  }

  /** Null while meshd has nothing to do for the mesh: no link agreed on yet, no lease of ours left, or dissolved. */
  #wanted(mesh: Mesh): MeshSpec | null {
    if (mesh.id === null || mesh.dissolved || mesh.links.size === 0) return null;
    const { self, config, clock } = this.#site;
    const nowSeconds = chainNow(this.#site);
    // Once all leases of ours are over, `dissolve` takes the mesh down: nothing may be set up again behind it.
    if (ownLeases(mesh, self).every((lease) => isOver(mesh, lease, nowSeconds))) return null;
    const spec = meshSpec({ ...mesh, id: mesh.id }, self, this.#site.regions(), config.routing, nowSeconds, (s) =>
      clock.toMonotonicMillis(s),
    );
    return spec.participants.length < 2 ? null : spec;
  }
}

function describe(error: unknown): string {
  return error instanceof EphemeshError ? `${error.code} ${error.message}` : String(error);
}
