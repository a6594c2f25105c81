/** The network that every system is measured on: six nodes in a ring with two chords, one-way delays of 5 ms. Pure. */
import { uniformTopology } from "../../lab/layout/topology.ts";

export interface Link {
  readonly a: number;
  readonly b: number;
}

export const LINKS: readonly Link[] = [
  { a: 1, b: 2 },
  { a: 2, b: 3 },
  { a: 3, b: 4 },
  { a: 4, b: 5 },
  { a: 5, b: 6 },
  { a: 1, b: 6 },
  { a: 1, b: 3 },
  { a: 4, b: 6 },
];
export const NODES = [1, 2, 3, 4, 5, 6] as const;
export const ONE_WAY_MILLIS = 5;
/** Of each pair on the underlay; a lease is less, for the tunnels' overhead. */
export const PAIR_MBPS = 10;
export const LEASE_MBPS = 8;

export const TOPOLOGY = uniformTopology({ regions: NODES.length, rttMillis: 2 * ONE_WAY_MILLIS, pairMbps: PAIR_MBPS });
export const regionName = (index: number): string => TOPOLOGY.regions[index - 1]!.name;

/** Where traffic flows and what fails: with a loop-free alternate at the node before the fault (RFC 5286), or without. */
export interface Scenario {
  readonly alternate: boolean;
  readonly from: number;
  readonly to: number;
  /** The only shortest path. */
  readonly path: readonly number[];
}

export const LINK_SCENARIOS: readonly Scenario[] = [
  { alternate: true, from: 1, to: 3, path: [1, 3] },
  { alternate: false, from: 3, to: 4, path: [3, 4] },
];
/** The node in the middle dies. */
export const NODE_SCENARIOS: readonly Scenario[] = [
  { alternate: true, from: 1, to: 5, path: [1, 6, 5] },
  { alternate: false, from: 2, to: 4, path: [2, 3, 4] },
];

/** Whether the first node has a neighbour off the path whose own way avoids what fails: the link, or the node behind it. */
export function hasAlternate(links: readonly Link[], { from, to, path }: Scenario, fails: "link" | "node"): boolean {
  const distance = distances(links);
  const next = path[1]!;
  return neighbours(links, from)
    .filter((neighbour) => neighbour !== next)
    .some(
      (neighbour) =>
        distance(neighbour, to) < distance(neighbour, from) + distance(from, to) &&
        (fails === "link" || distance(neighbour, to) < distance(neighbour, next) + distance(next, to)),
    );
}

/** How many shortest paths there are; the scenarios need exactly one, else nobody knows what a fault hits. */
export function shortestPaths(links: readonly Link[], from: number, to: number): number {
  if (from === to) return 1;
  const distance = distances(links);
  return neighbours(links, from)
    .filter((neighbour) => distance(neighbour, to) === distance(from, to) - 1)
    .reduce((sum, neighbour) => sum + shortestPaths(links, neighbour, to), 0);
}

function neighbours(links: readonly Link[], node: number): readonly number[] {
  return links.flatMap(({ a, b }) => (a === node ? [b] : b === node ? [a] : []));
}

function distances(links: readonly Link[]): (from: number, to: number) => number {
  return (from, to) => {
    let reached = new Set([from]);
    for (let hops = 0; ; hops++) {
      if (reached.has(to)) return hops;
      const further = new Set([...reached, ...[...reached].flatMap((node) => neighbours(links, node))]);
      if (further.size === reached.size) return Number.POSITIVE_INFINITY;
      reached = further;
    }
  };
}
