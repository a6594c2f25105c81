/**
 * Which link carries a flow that takes a single path. Only neighbours strictly closer to the destination are used: while
 * all nodes have the same database no packet visits a node twice. A path that is lost or got much worse is left at once;
 * a better one must gain 15 % and 1 ms, and hold that for 1 s.
 */
import type { RegionId } from "../../model/ids.ts";

export interface Candidate {
  readonly tag: string;
  readonly neighbour: RegionId;
  /** From this node over this link to the destination. */
  readonly costMicros: number;
  /** From the neighbour to the destination. */
  readonly onwardMicros: number;
  /** From the neighbour back to this node. */
  readonly backMicros: number;
  /** Capacity of the narrowest link of this path. */
  readonly kbps: number;
}

export interface Choice {
  readonly tag: string;
  readonly neighbour: RegionId;
  /** The lowest cost since it was chosen; the candidate has today's. */
  readonly minCostMicros: number;
  readonly better: { readonly tag: string; readonly sinceMillis: number } | null;
  /** When this flow last left a path because it got worse; null: never. */
  readonly urgentChangeAtMillis: number | null;
}

export interface Decision {
  readonly choice: Choice | null;
  /** Null: nothing changed. */
  readonly reason: string | null;
  /** When to decide again even if nothing changes; null: not needed. */
  readonly recomputeAtMillis: number | null;
}

export const HOLD_MILLIS = 1_000;
/** After one urgent change the next ones wait like other improvements, so that fluctuating paths cause few changes. */
export const URGENT_CHANGE_INTERVAL_MILLIS = 5_000;
const MIN_GAIN_MICROS = 1_000;

/** At least 15 % and 1 ms. */
export function isSignificantGain(betterMicros: number, currentMicros: number): boolean {
  return currentMicros - betterMicros >= MIN_GAIN_MICROS && betterMicros * 115 <= currentMicros * 100;
}

/** The link that a flow uses from now on. @param ownCostMicros of this node to the destination; only cheaper neighbours are considered */
export function decide(
  current: Choice | null,
  candidates: readonly Candidate[],
  ownCostMicros: number,
  nowMillis: number,
): Decision {
  const downstream = candidates.filter((candidate) => candidate.onwardMicros < ownCostMicros);
  const best = downstream.reduce<Candidate | null>(
    (least, next) => (least && !isBefore(next, least) ? least : next),
    null,
  );
  if (best === null) {
    return { choice: null, reason: current ? "no path left in the mesh" : null, recomputeAtMillis: null };
  }
  const used = current && downstream.find((candidate) => candidate.tag === current.tag);
  if (!current || !used) {
    const known = current && candidates.find((candidate) => candidate.tag === current.tag);
    const reason = !current
      ? `first path, ${costText(best.costMicros)}`
      : known
        ? `the next hop in use is no longer closer to the destination (${costText(known.onwardMicros)} from there, ${costText(ownCostMicros)} from here); new path ${costText(best.costMicros)}`
        : `the link in use was lost; new path ${costText(best.costMicros)}`;
    return choose(best, reason, current?.urgentChangeAtMillis ?? null);
  }
  const minCostMicros = Math.min(current.minCostMicros, used.costMicros);
  if (best.tag === used.tag || !isSignificantGain(best.costMicros, used.costMicros)) {
    return { choice: { ...current, minCostMicros, better: null }, reason: null, recomputeAtMillis: null };
  }
  const comparison = `${costText(best.costMicros)} instead of ${costText(used.costMicros)}`;
  const mayChangeAtOnce =
    current.urgentChangeAtMillis === null || nowMillis - current.urgentChangeAtMillis >= URGENT_CHANGE_INTERVAL_MILLIS;
  if (mayChangeAtOnce && isSignificantGain(minCostMicros, used.costMicros)) {
    const reason = `the path in use got worse (best ${costText(minCostMicros)}): ${comparison}`;
    return choose(best, reason, nowMillis);
  }
  const since = current.better?.tag === best.tag ? current.better.sinceMillis : nowMillis;
  if (nowMillis - since >= HOLD_MILLIS) {
    return choose(best, `better for ${HOLD_MILLIS / 1000} s: ${comparison}`, current.urgentChangeAtMillis);
  }
  return {
    choice: { ...current, minCostMicros, better: { tag: best.tag, sinceMillis: since } },
    reason: null,
    recomputeAtMillis: since + HOLD_MILLIS,
  };
}

function choose(best: Candidate, reason: string, urgentChangeAtMillis: number | null): Decision {
  return {
    choice: {
      tag: best.tag,
      neighbour: best.neighbour,
      minCostMicros: best.costMicros,
      better: null,
      urgentChangeAtMillis,
    },
    reason,
    recomputeAtMillis: null,
  };
}

/** The cheaper one first; ties go to the lower tag, so that the choice is stable. */
export function isBefore(a: Candidate, b: Candidate): boolean {
  return a.costMicros !== b.costMicros ? a.costMicros < b.costMicros : a.tag < b.tag;
}

/** Milliseconds with one decimal, as reasons show a cost. */
export const costText = (micros: number): string => `${(micros / 1000).toFixed(1)} ms`;
