/**
 * Local repair: to whom a flow may turn the instant its link is lost, while the others still know nothing.
 *
 * One path at a time: RFC 5286, inequality 1, the neighbour's own best way does not lead through us. Bulk: the
 * neighbour may use every node that is strictly closer than itself, so it must be no farther away than we were; then
 * nobody downstream from it is as far away as we are.
 */
import { PLANES } from "../kernel/marks.ts";
import { type Candidate, type Choice, costText, isBefore } from "./choice.ts";
import { assign, type Spread } from "./spread.ts";

export function isLoopFree(candidate: Candidate, ownMicros: number, ofMany: boolean): boolean {
  const { onwardMicros, backMicros } = candidate;
  return ofMany ? onwardMicros <= ownMicros : onwardMicros < backMicros + ownMicros;
}

/** The best one beside the link in use; null where a repair must wait for the others to be told. */
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

/** `candidates`: those of the last computation whose links still stand. */
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
    reason: `the link in use went away; the loop-free alternate by ${neighbour} costs ${costText(costMicros)}`,
  };
}

/** Only the planes of lost links turn: to the links that are in use besides, or to one that was not. */
export function repairSpread(
  spread: Spread,
  candidates: readonly Candidate[],
  ownMicros: number,
): Repair<Spread> | null {
  const safe = candidates.filter((candidate) => isLoopFree(candidate, ownMicros, true));
  const used = safe.filter(({ tag }) => spread.planes.includes(tag));
  const first = alternateOf(safe, "", ownMicros, true);
  const targets = used.length > 0 ? used : first ? [first] : [];
  if (targets.length === 0) return null;
  const planes = assign(spread.planes, targets);
  const minCosts = new Map(targets.map(({ tag, costMicros }) => [tag, spread.minCosts.get(tag) ?? costMicros]));
  const turned = planes.filter((tag, plane) => tag !== spread.planes[plane]).length;
  return {
    state: { ...spread, planes, minCosts, better: null },
    reason: `a link in use went away; ${turned} of ${PLANES.bulk} planes turned to ${targets.map(({ neighbour }) => neighbour).join(", ")}, which cannot loop`,
  };
}
