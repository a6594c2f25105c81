/**
 * Local repair: the loop-free alternate that a flow uses the instant its link is lost, before other nodes know.
 *
 * Single path: RFC 5286, inequality 1, the neighbour's shortest path does not lead through this node. Bulk: the
 * neighbour may use every node strictly closer than itself, so its distance must not exceed ours; then all nodes
 * downstream from it are closer than this node.
 */
import { BUCKET_GROUPS } from "../kernel/marks.ts";
import { type Candidate, type Choice, costText, isBefore } from "./choice.ts";
import { assign, type Spread } from "./spread.ts";

/** Whether the candidate never sends packets back here. @param ofMany for bulk, which has the stricter condition */
export function isLoopFree(candidate: Candidate, ownMicros: number, ofMany: boolean): boolean {
  const { onwardMicros, backMicros } = candidate;
  return ofMany ? onwardMicros <= ownMicros : onwardMicros < backMicros + ownMicros;
}

/** The cheapest alternate to the link in use; null: there is none, the repair must wait for the next computation. */
export function alternateOf(
  candidates: readonly Candidate[],
  used: string,
  ownMicros: number,
  ofMany = false,
): Candidate | null {
  return candidates
    .filter((candidate) => candidate.tag !== used && isLoopFree(candidate, ownMicros, ofMany))
    .reduce<Candidate | null>((best, next) => (best && !isBefore(next, best) ? best : next), null);
}

export interface Repair<State> {
  readonly state: State;
  readonly reason: string;
}

/** `candidates`: those of the last computation whose links are still usable. */
export function repairChoice(
  choice: Choice,
  candidates: readonly Candidate[],
  ownMicros: number,
): Repair<Choice> | null {
  const found = alternateOf(candidates, choice.tag, ownMicros);
  if (!found) return null;
  const { tag, neighbour, costMicros } = found;
  return {
    state: { ...choice, tag, neighbour, minCostMicros: costMicros, better: null },
    reason: `the link in use was lost; the loop-free alternate via ${neighbour} costs ${costText(costMicros)}`,
  };
}

/** Moves only the bucket groups of lost links: to the other links in use, or else to the best unused alternate. */
export function repairSpread(
  spread: Spread,
  candidates: readonly Candidate[],
  ownMicros: number,
): Repair<Spread> | null {
  const safe = candidates.filter((candidate) => isLoopFree(candidate, ownMicros, true));
  const used = safe.filter(({ tag }) => spread.bucketGroups.includes(tag));
  const first = alternateOf(safe, "", ownMicros, true);
  const targets = used.length > 0 ? used : first ? [first] : [];
  if (targets.length === 0) return null;
  const bucketGroups = assign(spread.bucketGroups, targets);
  const minCosts = new Map(targets.map(({ tag, costMicros }) => [tag, spread.minCosts.get(tag) ?? costMicros]));
  const moved = bucketGroups.filter((tag, group) => tag !== spread.bucketGroups[group]).length;
  return {
    state: { ...spread, bucketGroups, minCosts, better: null },
    reason: `a link in use was lost; ${moved}/${BUCKET_GROUPS.bulk} moved to the loop-free ${targets.map(({ neighbour }) => neighbour).join(", ")}`,
  };
}
