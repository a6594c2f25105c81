/** From the database to routes: for each flow that this node may carry, the link, the path and the reason. */
import type { RegionId } from "../../model/ids.ts";
import type { TrafficClass } from "../marks.ts";
import { type Candidate, type Choice, decide } from "./choice.ts";
import type { Database } from "./database.ts";
import { pathTo, shortestPaths, type Tree } from "./shortest.ts";

/** The traffic of one buyer that this node may have to send on. */
export interface Demand {
  readonly buyer: RegionId;
  readonly trafficClass: TrafficClass;
  readonly destinations: readonly RegionId[];
  /** Where the buyer pays: who may stand in the middle of a path. */
  readonly mayCross: ReadonlySet<RegionId>;
}

export interface Route {
  readonly buyer: RegionId;
  readonly trafficClass: TrafficClass;
  readonly destination: RegionId;
  /** Null: the mesh has no path. */
  readonly tag: string | null;
  readonly path: readonly RegionId[];
  readonly costMicros: number | null;
  readonly reason: string;
}

export interface RouteChange {
  readonly route: Route;
  readonly previousTag: string | null;
  /** No packet can come back by it, even while the others still know nothing (RFC 5286). */
  readonly loopFree: boolean;
}

interface Memory {
  choice: Choice | null;
  reason: string;
}

export class RouteTable {
  readonly #self: RegionId;
  #demands: readonly Demand[] = [];
  #routes: readonly Route[] = [];
  readonly #memory = new Map<string, Memory>();
  /** Of the last computation, by buyer and class: the world as the neighbours still see it. */
  readonly #trees = new Map<string, ReadonlyMap<RegionId, Tree>>();

  constructor(self: RegionId) {
    this.#self = self;
  }

  get routes(): readonly Route[] {
    return this.#routes;
  }

  setDemands(demands: readonly Demand[]): void {
    this.#demands = demands;
    const wanted = new Set(demands.flatMap((demand) => demand.destinations.map((to) => flowKey(demand, to))));
    for (const key of this.#memory.keys()) if (!wanted.has(key)) this.#memory.delete(key);
  }

  /** `ownTags`: our links that may be used this instant. */
  compute(
    database: Database,
    ownTags: ReadonlySet<string>,
    nowMillis: number,
  ): { readonly changes: readonly RouteChange[]; readonly lookAgainMillis: number | null } {
    const changes: RouteChange[] = [];
    const routes: Route[] = [];
    let lookAgainMillis = Number.POSITIVE_INFINITY;
    for (const demand of this.#demands) {
      const graph = database.graph(demand.buyer, demand.trafficClass);
      const links = (graph.get(this.#self) ?? []).filter((edge) => ownTags.has(edge.tag));
      const sources = new Set([this.#self, ...links.map((edge) => edge.to)]);
      const trees = new Map([...sources].map((from) => [from, shortestPaths(graph, from, demand.mayCross)]));
      const key = `${demand.buyer}/${demand.trafficClass}`;
      const treesBefore = this.#trees.get(key);
      this.#trees.set(key, trees);
      for (const destination of demand.destinations) {
        const memory = this.#memory.get(flowKey(demand, destination)) ?? { choice: null, reason: "no path yet" };
        const candidates = links.flatMap((edge): Candidate[] => {
          if (edge.to !== destination && !demand.mayCross.has(edge.to)) return [];
          const onwardMicros = trees.get(edge.to)?.costMicros.get(destination);
          if (onwardMicros === undefined) return [];
          return [{ tag: edge.tag, neighbour: edge.to, onwardMicros, costMicros: edge.costMicros + onwardMicros }];
        });
        const own = trees.get(this.#self)?.costMicros.get(destination) ?? Number.POSITIVE_INFINITY;
        const decision = decide(memory.choice, candidates, own, nowMillis);
        lookAgainMillis = Math.min(lookAgainMillis, decision.lookAgainMillis ?? Number.POSITIVE_INFINITY);
        const reason = decision.reason ?? memory.reason;
        const { choice } = decision;
        const used = choice && candidates.find((candidate) => candidate.tag === choice.tag);
        const tree = choice && trees.get(choice.neighbour);
        const route: Route = {
          buyer: demand.buyer,
          trafficClass: demand.trafficClass,
          destination,
          tag: choice?.tag ?? null,
          path: choice && tree ? pathTo(tree, choice.neighbour, destination) : [],
          costMicros: used?.costMicros ?? null,
          reason,
        };
        routes.push(route);
        const previousTag = memory.choice?.tag ?? null;
        if (route.tag !== previousTag) {
          const loopFree = !choice || isLoopFree(treesBefore, this.#self, choice.neighbour, destination);
          changes.push({ route, previousTag, loopFree });
        }
        this.#memory.set(flowKey(demand, destination), { choice, reason });
      }
    }
    this.#routes = routes;
    return { changes, lookAgainMillis: Number.isFinite(lookAgainMillis) ? lookAgainMillis : null };
  }
}

/** RFC 5286, inequality 1, in the world before the change: the neighbour's own way does not lead through us. */
function isLoopFree(
  before: ReadonlyMap<RegionId, Tree> | undefined,
  self: RegionId,
  neighbour: RegionId,
  destination: RegionId,
): boolean {
  if (neighbour === destination) return true;
  const fromNeighbour = before?.get(neighbour)?.costMicros;
  const ownMicros = before?.get(self)?.costMicros.get(destination);
  const backMicros = fromNeighbour?.get(self);
  const onwardMicros = fromNeighbour?.get(destination);
  if (ownMicros === undefined || backMicros === undefined || onwardMicros === undefined) return false;
  return onwardMicros < backMicros + ownMicros;
}

const flowKey = (demand: Demand, destination: RegionId): string =>
  `${demand.buyer}/${demand.trafficClass}/${destination}`;
