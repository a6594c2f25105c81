/** Computes routes from the database: for each flow that this node may carry, the links, the path and the reason. */
import type { RegionId } from "../../model/ids.ts";
import type { TrafficClass } from "../../model/traffic-class.ts";
import { BUCKET_GROUPS } from "../kernel/marks.ts";
import { alternateOf, repairChoice, repairSpread } from "./alternate.ts";
import { type Candidate, type Choice, decide } from "./choice.ts";
import type { Database } from "./database.ts";
import type { Tree } from "./shortest.ts";
import { decideSpread, isSame, type Spread } from "./spread.ts";

/** The traffic of one buyer and class that this node may have to forward. */
export interface Demand {
  readonly buyer: RegionId;
  readonly trafficClass: TrafficClass;
  readonly destinations: readonly RegionId[];
  /** Regions that paths may lead through: the buyer pays there. */
  readonly mayCross: ReadonlySet<RegionId>;
  /** Bits of ATTRIBUTE that every link of a path must have. */
  readonly required: number;
}

export interface Route {
  readonly buyer: RegionId;
  readonly trafficClass: TrafficClass;
  readonly destination: RegionId;
  /** Tag of the link of each bucket group of the class; empty: no path. */
  readonly bucketGroups: readonly string[];
  /** Tag of the loop-free alternate of a single path; null: there is none. */
  readonly backup: string | null;
  /** The cheapest path in use, beginning with the next hop. */
  readonly path: readonly RegionId[];
  readonly costMicros: number | null;
  readonly reason: string;
}

export interface RouteChange {
  readonly route: Route;
  readonly previous: readonly string[];
}

interface Memory {
  readonly choice: Choice | null;
  readonly spread: Spread | null;
  readonly reason: string;
  /** Of the last computation, whose database the neighbours still have when a link is lost. */
  readonly candidates: readonly Candidate[];
  readonly ownMicros: number;
}

const NOTHING_YET: Memory = {
  choice: null,
  spread: null,
  reason: "no path yet",
  candidates: [],
  ownMicros: Number.POSITIVE_INFINITY,
};

export class RouteTable {
  readonly #self: RegionId;
  #demands: readonly Demand[] = [];
  readonly #routes = new Map<string, Route>();
  readonly #memory = new Map<string, Memory>();

  constructor(self: RegionId) {
    this.#self = self;
  }

  get routes(): readonly Route[] {
    return [...this.#routes.values()];
  }

  setDemands(demands: readonly Demand[]): void {
    this.#demands = demands;
    const wanted = new Set(demands.flatMap((demand) => demand.destinations.map((to) => flowKey(demand, to))));
    for (const map of [this.#memory, this.#routes]) {
      for (const key of map.keys()) if (!wanted.has(key)) map.delete(key);
    }
  }

  /** Moves flows from lost links to loop-free alternates, using only the results of the last computation. */
  repair(usable: ReadonlySet<string>): readonly RouteChange[] {
    const changes: RouteChange[] = [];
    for (const [key, memory] of this.#memory) {
      const before = this.#routes.get(key);
      if (!before || before.bucketGroups.every((tag) => usable.has(tag))) continue;
      const candidates = memory.candidates.filter(({ tag }) => usable.has(tag));
      const { choice, spread, ownMicros } = memory;
      const repairedChoice = choice && repairChoice(choice, candidates, ownMicros);
      const repairedSpread = spread && repairSpread(spread, candidates, ownMicros);
      const reason = repairedChoice?.reason ?? repairedSpread?.reason;
      if (reason === undefined) continue;
      const after: Memory = {
        ...memory,
        choice: repairedChoice?.state ?? null,
        spread: repairedSpread?.state ?? null,
        reason,
      };
      this.#memory.set(key, after);
      const best = inUse(after)[0];
      const route: Route = {
        ...before,
        bucketGroups: bucketGroupsOf(after),
        backup: null,
        path: best ? [best.neighbour, before.destination] : [],
        costMicros: best?.costMicros ?? null,
        reason,
      };
      this.#routes.set(key, route);
      changes.push({ route, previous: before.bucketGroups });
    }
    return changes;
  }

  /** `usable`: tags of this node's links that are up. */
  compute(
    database: Database,
    usable: ReadonlySet<string>,
    nowMillis: number,
  ): { readonly changes: readonly RouteChange[]; readonly recomputeAtMillis: number | null } {
    const changes: RouteChange[] = [];
    const noTransit = database.noTransitRegions();
    let recomputeAtMillis = Number.POSITIVE_INFINITY;
    for (const demand of this.#demands) {
      const graph = database.graph(demand.buyer, demand.trafficClass, demand.required);
      const links = graph.edgesOf(this.#self).filter((edge) => usable.has(edge.tag));
      const crossable = demand.mayCross.difference(noTransit);
      const sources = new Set([this.#self, ...links.map((edge) => edge.to)]);
      const trees = new Map([...sources].map((from) => [from, graph.shortestPaths(from, crossable)]));
      const own = trees.get(this.#self);
      for (const destination of demand.destinations) {
        const key = flowKey(demand, destination);
        const candidates = links.flatMap((edge): Candidate[] => {
          const tree = trees.get(edge.to);
          const onwardMicros = tree?.costTo(destination) ?? Number.POSITIVE_INFINITY;
          if (!tree || !Number.isFinite(onwardMicros)) return [];
          if (edge.to !== destination && !crossable.has(edge.to)) return [];
          return [
            {
              tag: edge.tag,
              neighbour: edge.to,
              onwardMicros,
              backMicros: tree.costTo(this.#self),
              costMicros: edge.costMicros + onwardMicros,
              kbps: Math.min(edge.kbps, tree.kbpsTo(destination)),
            },
          ];
        });
        const ownMicros = own?.costTo(destination) ?? Number.POSITIVE_INFINITY;
        const before = this.#memory.get(key) ?? NOTHING_YET;
        const decided = decideFlow(demand.trafficClass, before, candidates, ownMicros, nowMillis);
        recomputeAtMillis = Math.min(recomputeAtMillis, decided.recomputeAtMillis ?? Number.POSITIVE_INFINITY);
        this.#memory.set(key, decided.memory);
        const route = routeOf(demand, destination, decided.memory, trees);
        const previous = this.#routes.get(key)?.bucketGroups ?? [];
        this.#routes.set(key, route);
        if (!isSame(route.bucketGroups, previous)) changes.push({ route, previous });
      }
    }
    return { changes, recomputeAtMillis: Number.isFinite(recomputeAtMillis) ? recomputeAtMillis : null };
  }
}

function decideFlow(
  trafficClass: TrafficClass,
  before: Memory,
  candidates: readonly Candidate[],
  ownMicros: number,
  nowMillis: number,
): { readonly memory: Memory; readonly recomputeAtMillis: number | null } {
  const known = { candidates, ownMicros };
  if (BUCKET_GROUPS[trafficClass] > 1) {
    const { spread, reason, recomputeAtMillis } = decideSpread(before.spread, candidates, ownMicros, nowMillis);
    return { memory: { ...known, choice: null, spread, reason: reason ?? before.reason }, recomputeAtMillis };
  }
  const { choice, reason, recomputeAtMillis } = decide(before.choice, candidates, ownMicros, nowMillis);
  return { memory: { ...known, choice, spread: null, reason: reason ?? before.reason }, recomputeAtMillis };
}

function routeOf(
  { buyer, trafficClass }: Demand,
  destination: RegionId,
  memory: Memory,
  trees: ReadonlyMap<RegionId, Tree>,
): Route {
  const best = inUse(memory)[0];
  return {
    buyer,
    trafficClass,
    destination,
    bucketGroups: bucketGroupsOf(memory),
    backup: memory.choice && (alternateOf(memory.candidates, memory.choice.tag, memory.ownMicros)?.tag ?? null),
    path: (best && trees.get(best.neighbour)?.pathTo(destination)) ?? [],
    costMicros: best?.costMicros ?? null,
    reason: memory.reason,
  };
}

function bucketGroupsOf({ choice, spread }: Memory): readonly string[] {
  return spread?.bucketGroups ?? (choice ? [choice.tag] : []);
}

/** The candidates in use, the cheapest first. */
function inUse(memory: Memory): readonly Candidate[] {
  const bucketGroups = bucketGroupsOf(memory);
  return memory.candidates.filter(({ tag }) => bucketGroups.includes(tag)).sort((a, b) => a.costMicros - b.costMicros);
}

const flowKey = (demand: Demand, destination: RegionId): string =>
  `${demand.buyer}/${demand.trafficClass}/${destination}`;
