/** The naive truth: every simple path, added up. */
import { linkCostMicros } from "../../../agent/meshd/routing/cost.ts";
import type { SimLink } from "./simulator.ts";

export function costOf(link: SimLink): number {
  return linkCostMicros(
    { rttMicros: link.rttMicros, lossForwardPpm: link.lossPpm, lossReversePpm: link.lossPpm, capacityKbps: link.kbps },
    "interactive",
  );
}

/** Cost of the best path from `source` to `destination` through allowed nodes; infinity where there is none. */
export function bestCost(
  links: readonly SimLink[],
  source: number,
  destination: number,
  mayCross: ReadonlySet<number>,
): number {
  const visited = new Set([source]);
  const walk = (at: number): number => {
    if (at === destination) return 0;
    if (at !== source && !mayCross.has(at)) return Number.POSITIVE_INFINITY;
    let best = Number.POSITIVE_INFINITY;
    for (const link of links) {
      if (!link.up || (link.a !== at && link.b !== at)) continue;
      const next = link.a === at ? link.b : link.a;
      if (visited.has(next)) continue;
      visited.add(next);
      best = Math.min(best, costOf(link) + walk(next));
      visited.delete(next);
    }
    return best;
  };
  return walk(source);
}
