/** Worlds to simulate, and what is true in them: the same seed, the same world. */
import { isSignificantGain } from "../../../agent/meshd/routing/choice.ts";
import { linkCostMicros } from "../../../agent/meshd/routing/cost.ts";
import { Graph, type GraphEdge } from "../../../agent/meshd/routing/shortest.ts";
import type { RegionId } from "../../../agent/model/ids.ts";
import type { TrafficClass } from "../../../agent/model/traffic-class.ts";
import type { SimOptions, Simulator } from "./simulator.ts";

/** Mulberry32: from 0 up to 1. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Nodes on a group of 30 by 30 ms, each linked to an earlier one, and then at random up to so many links. */
export function randomWorld(nodes: number, links: number, random: () => number): Pick<SimOptions, "nodes" | "links"> {
  const places = Array.from({ length: nodes }, () => [random() * 30_000, random() * 30_000] as const);
  const made = new Map<string, SimOptions["links"][number]>();
  const link = (a: number, b: number): void => {
    const [x, y] = [places[a - 1] ?? [0, 0], places[b - 1] ?? [0, 0]];
    const rttMicros = 500 + Math.round(Math.hypot(x[0] - y[0], x[1] - y[1]));
    const kbps = [20_000, 50_000, 100_000, 200_000][Math.floor(random() * 4)] ?? 0;
    made.set(`${Math.min(a, b)}-${Math.max(a, b)}`, { a, b, rttMicros, lossPpm: 0, kbps });
  };
  const any = (): number => 1 + Math.floor(random() * nodes);
  for (let node = 2; node <= nodes; node++) link(node, 1 + Math.floor(random() * (node - 1)));
  const most = Math.min(links, (nodes * (nodes - 1)) / 2);
  while (made.size < most) {
    const [a, b] = [any(), any()];
    if (a !== b) link(a, b);
  }
  return { nodes, links: [...made.values()] };
}

/** What does not hold, of all that must hold once the world has stood still; empty: all is well. */
export function untruths(world: Simulator, exceptClass: (each: TrafficClass) => boolean = () => false): string[] {
  const wrong: string[] = [];
  const everybody = new Set(world.nodes.map(({ id }) => id as RegionId));
  const living = world.nodes.filter(({ alive }) => alive);
  for (const trafficClass of world.classes) {
    if (exceptClass(trafficClass)) continue;
    const truth = trueGraph(world, trafficClass);
    const trees = new Map(living.map(({ id }) => [id, truth.shortestPaths(id as RegionId, everybody)]));
    for (const { id, core } of living) {
      for (const route of core.routes.filter((each) => each.trafficClass === trafficClass)) {
        const where = `${trafficClass} ${id} to ${route.destination}`;
        const best = trees.get(id)?.costTo(route.destination) ?? Number.POSITIVE_INFINITY;
        const { end } = world.walk(id, route.destination, trafficClass);
        if (!Number.isFinite(best)) {
          if (route.bucketGroups.length > 0) wrong.push(`${where}: a route where there is no way`);
        } else if (end !== "there") wrong.push(`${where}: ${end}`);
        else if (route.costMicros === null || route.costMicros < best) wrong.push(`${where}: cheaper than possible`);
        else if (isSignificantGain(best, route.costMicros))
          wrong.push(`${where}: ${route.costMicros}, ${best} is possible`);
      }
    }
  }
  return wrong;
}

/** What is up, with the figures that its ends said last: small drifts are not worth saying. */
function trueGraph(world: Simulator, trafficClass: TrafficClass): Graph {
  const said = new Map(
    world.nodes.flatMap(({ id, core }) =>
      [...core.database.entries()]
        .filter(({ signed }) => signed.lsa.origin === id)
        .flatMap(({ signed }) => signed.lsa.links.map((link) => [`${link.tag}/${id}`, link] as const)),
    ),
  );
  const edges = world.links.flatMap(({ tag, a, b, up }): GraphEdge[] => {
    const [atA, atB] = [said.get(`${tag}/${a}`), said.get(`${tag}/${b}`)];
    if (!up || !atA || !atB || !world.node(a).alive || !world.node(b).alive) return [];
    const kbps = Math.min(...[atA, atB].flatMap((link) => link.shares.map((share) => share.kbps)));
    const metric = {
      rttMicros: Math.max(atA.rttMicros, atB.rttMicros),
      lossForwardPpm: atA.lossPpm,
      lossReversePpm: atB.lossPpm,
      capacityKbps: kbps,
    };
    const costMicros = linkCostMicros(metric, trafficClass);
    return [{ tag, a: a as RegionId, b: b as RegionId, kbps, costMicros }];
  });
  return new Graph(edges);
}
