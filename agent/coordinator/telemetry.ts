/** What meshd measures and counts on this region's links: read often while a link comes up or goes down, else seldom. */
import { countsOf } from "../lease/metering.ts";
import { type LinkCounts, NOTHING_COUNTED, RunningCounts } from "../lease/running-counts.ts";
import type { EniEnd } from "../model/eni.ts";
import type { LinkId, RegionId } from "../model/ids.ts";
import type { Counters, Measurements } from "../model/meshd-messages.ts";
import { monotonicMillis } from "../model/time.ts";
import { linkOfLease, type Mesh, ownLeases } from "./mesh.ts";
import type { LinkState } from "./next-actions.ts";
import type { Site } from "./site.ts";

const CHANGING_MILLIS = 250;
const ALL_UP_MILLIS = 1000;
/** meshd's time of start is known to this accuracy; a larger difference is another start. */
const SAME_START_MILLIS = 1000;

/** As many as meshd keeps of a link. */
const MAX_EPOCHS = 400;

type Epochs = Counters["links"][number]["epochs"];

export class Telemetry {
  readonly #site: Pick<Site, "self" | "meshd">;
  readonly #totals = new RunningCounts();
  readonly #counters = new Map<string, Counters["links"][number]>();
  #measurements: Measurements = { meshes: [] };
  #links: ReadonlyMap<LinkId, LinkState> = new Map();
  #meshdStartedAtMillis = Number.NaN;
  #nextMillis = 0;

  constructor(site: Pick<Site, "self" | "meshd">) {
    this.#site = site;
  }

  get links(): ReadonlyMap<LinkId, LinkState> {
    return this.#links;
  }

  get measurements(): Measurements {
    return this.#measurements;
  }

  /** By link, added up over restarts of meshd and new interfaces; kept for links that are gone. */
  get counters(): ReadonlyMap<string, Counters["links"][number]> {
    return this.#counters;
  }

  /** The ends of the interfaces that are up: through them a peer can be reached. */
  get enis(): readonly EniEnd[] {
    return this.#measurements.meshes.flatMap(({ links }) => links.filter(({ state }) => state === "up"));
  }

  isDue(nowMillis: number): boolean {
    return nowMillis >= this.#nextMillis;
  }

  /** Something changed: the next reading is due at once. */
  expire(): void {
    this.#nextMillis = 0;
  }

  /** meshd has nothing: there is nothing to measure. */
  clear(): void {
    this.#measurements = { meshes: [] };
    this.#links = new Map();
  }

  /** @returns whether meshd started anew since the last reading */
  async read(meshes: readonly Mesh[]): Promise<{ readonly meshdRestarted: boolean }> {
    const { meshd } = this.#site;
    const [heartbeat, measurements, counters] = await Promise.all([
      meshd.ask("heartbeat", {}),
      meshd.ask("measurements", {}),
      meshd.ask("counters", {}),
    ]);
    const nowMillis = monotonicMillis();
    this.#measurements = measurements;
    this.#links = linkStates(measurements, nowMillis);
    this.#count(counters, signedCounts(meshes, this.#site.self));
    const allUp = [...this.#links.values()].every(({ state }) => state === "up");
    this.#nextMillis = nowMillis + (allUp ? ALL_UP_MILLIS : CHANGING_MILLIS);
    const startedAtMillis = nowMillis - heartbeat.uptimeMillis;
    const meshdRestarted = Math.abs(startedAtMillis - this.#meshdStartedAtMillis) > SAME_START_MILLIS;
    this.#meshdStartedAtMillis = startedAtMillis;
    return { meshdRestarted };
  }

  #count(counters: Counters, signed: ReadonlyMap<string, LinkCounts>): void {
    for (const link of counters.links) {
      const total = this.#totals.total(link.linkId, link, signed.get(link.linkId) ?? NOTHING_COUNTED);
      const epochs = joinedEpochs(this.#counters.get(link.linkId)?.epochs ?? [], link.epochs);
      this.#counters.set(link.linkId, { ...link, ...total, epochs });
    }
  }
}

/** Epochs judged by a former interface, or before meshd restarted, count until a receipt covers them. */
function joinedEpochs(before: Epochs, now: Epochs): Epochs {
  const judged = new Set(now.map(({ epoch }) => epoch));
  return [...before.filter(({ epoch }) => !judged.has(epoch)), ...now]
    .sort((a, b) => a.epoch - b.epoch)
    .slice(-MAX_EPOCHS);
}

function linkStates(measurements: Measurements, nowMillis: number): ReadonlyMap<LinkId, LinkState> {
  const links = measurements.meshes.flatMap((mesh) => mesh.links);
  return new Map(
    links.map(({ linkId, attempt, state, sinceMonotonicMillis }) => [
      linkId,
      { attempt, state, forMillis: Math.max(0, nowMillis - sinceMonotonicMillis) },
    ]),
  );
}

/** What the last receipt of each leased link says, whose id is the lease's. */
function signedCounts(meshes: readonly Mesh[], self: RegionId): ReadonlyMap<string, LinkCounts> {
  const receipts = meshes.flatMap((mesh) =>
    ownLeases(mesh, self).map(({ id, buyer }) => {
      const receipt = mesh.receipts.get(id)?.receipt ?? null;
      return [linkOfLease(id) as string, countsOf(receipt, buyer === self ? "buyer" : "seller")] as const;
    }),
  );
  return new Map(receipts);
}
