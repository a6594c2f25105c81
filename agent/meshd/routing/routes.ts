/** From the database to routes: for each flow that this node may carry, the links, the path and the reason. */
import type { RegionId } from "../../model/ids.ts";
import type { TrafficClass } from "../../model/traffic-class.ts";
import { PLANES } from "../kernel/marks.ts";
import { alternateOf, repairChoice, repairSpread } from "./alternate.ts";
import { type Candidate, type Choice, decide } from "./choice.ts";
import type { Database } from "./database.ts";
import type { Tree } from "./shortest.ts";
import { decideSpread, isSame, type Spread } from "./spread.ts";

/** The traffic of one buyer and class that this node may have to send on. */
export interface Demand {
  readonly buyer: RegionId;
  readonly trafficClass: TrafficClass;
  readonly destinations: readonly RegionId[];
  /** Where the buyer pays: who may stand in the middle of a path. */
  readonly mayCross: ReadonlySet<RegionId>;
  /** Bits of ATTRIBUTE that every link of a path must have. */
  readonly required: number;
}

export interface Route {
  readonly buyer: RegionId;
  readonly trafficClass: TrafficClass;
  readonly destination: RegionId;
  /** Tag of the link of each plane of the class; none: the mesh has no path. */
  readonly planes: readonly string[];
  /** Where a single path turns the instant its link is lost; null: the others must be told first. */
  readonly backup: string | null;
  /** The best path in use, from the next hop on. */
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
  /** Of the last computation: the world as the neighbours still see it. */
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

  /** Turns what is on a lost link to where it cannot loop; looks at nothing but what the last computation left ready. */
  repair(usable: ReadonlySet<string>): readonly RouteChange[] {
    const changes: RouteChange[] = [];
    for (const [key, memory] of this.#memory) {
      const before = this.#routes.get(key);
      if (!before || before.planes.every((tag) => usable.has(tag))) continue;
      const candidates = memory.candidates.filter(({ tag }) => usable.has(tag));
      const { choice, spread, ownMicros } = memory;
      const turnedChoice = choice && repairChoice(choice, candidates, ownMicros);
      const turnedSpread = spread && repairSpread(spread, candidates, ownMicros);
      const reason = turnedChoice?.reason ?? turnedSpread?.reason;
      if (reason === undefined) continue;
      const after: Memory = {
        ...memory,
        choice: turnedChoice?.state ?? null,
        spread: turnedSpread?.state ?? null,
        reason,
      };
      this.#memory.set(key, after);
      const best = inUse(after)[0];
      const route: Route = {
        ...before,
        planes: planesOf(after),
        backup: null,
        path: best ? [best.neighbour, before.destination] : [],
        costMicros: best?.costMicros ?? null,
        reason,
      };
      this.#routes.set(key, route);
      changes.push({ route, previous: before.planes });
    }
    return changes;
  }

  /** `usable`: tags of our links that may be used this instant. */
  compute(
    database: Database,
    usable: ReadonlySet<string>,
    nowMillis: number,
  ): { readonly changes: readonly RouteChange[]; readonly lookAgainMillis: number | null } {
    const changes: RouteChange[] = [];
    const leaving = database.leaving();
    let lookAgainMillis = Number.POSITIVE_INFINITY;
    for (const demand of this.#demands) {
      const graph = database.graph(demand.buyer, demand.trafficClass, demand.required);
      const links = graph.edgesOf(this.#self).filter((edge) => usable.has(edge.tag));
      const crossable = demand.mayCross.difference(leaving);
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
        lookAgainMillis = Math.min(lookAgainMillis, decided.lookAgainMillis ?? Number.POSITIVE_INFINITY);
        this.#memory.set(key, decided.memory);
        const route = routeOf(demand, destination, decided.memory, trees);
        const previous = this.#routes.get(key)?.planes ?? [];
        this.#routes.set(key, route);
        if (!isSame(route.planes, previous)) changes.push({ route, previous });
      }
    }
    return { changes, lookAgainMillis: Number.isFinite(lookAgainMillis) ? lookAgainMillis : null };
  }
}

function decideFlow(
  trafficClass: TrafficClass,
  before: Memory,
  candidates: readonly Candidate[],
  ownMicros: number,
  nowMillis: number,
): { readonly memory: Memory; readonly lookAgainMillis: number | null } {
  const known = { candidates, ownMicros };
  if (PLANES[trafficClass] > 1) {
    const { spread, reason, lookAgainMillis } = decideSpread(before.spread, candidates, ownMicros, nowMillis);
    return { memory: { ...known, choice: null, spread, reason: reason ?? before.reason }, lookAgainMillis };
  }
  const { choice, reason, lookAgainMillis } = decide(before.choice, candidates, ownMicros, nowMillis);
  return { memory: { ...known, choice, spread: null, reason: reason ?? before.reason }, lookAgainMillis };
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
    planes: planesOf(memory),
    backup: memory.choice && (alternateOf(memory.candidates, memory.choice.tag, memory.ownMicros)?.tag ?? null),
    path: (best && trees.get(best.neighbour)?.pathTo(destination)) ?? [],
    costMicros: best?.costMicros ?? null,
    reason: memory.reason,
  };
}

function planesOf({ choice, spread }: Memory): readonly string[] {
  return spread?.planes ?? (choice ? [choice.tag] : []);
}

/** The candidates that carry something, the cheapest first. */
function inUse(memory: Memory): readonly Candidate[] {
  const planes = planesOf(memory);
  return memory.candidates.filter(({ tag }) => planes.includes(tag)).sort((a, b) => a.costMicros - b.costMicros);
}

const flowKey = (demand: Demand, destination: RegionId): string =>
  `${demand.buyer}/${demand.trafficClass}/${destination}`;
