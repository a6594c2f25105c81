/**
 * Which link carries a flow that takes one path at a time. Any neighbour strictly closer to the destination may be used:
 * under equal views no packet visits a node twice. Calm: what is lost or got much worse is left at once; what would
 * merely be better must be worth 15 % and 1 ms, and stay so for 1 s.
 */
import type { RegionId } from "../../model/ids.ts";

export interface Candidate {
  readonly tag: string;
  readonly neighbour: RegionId;
  /** Over this link and on from the neighbour. */
  readonly costMicros: number;
  /** From the neighbour on. */
  readonly onwardMicros: number;
  /** From the neighbour back to us. */
  readonly backMicros: number;
  /** Capacity of the narrowest link of this way. */
  readonly kbps: number;
}

export interface Choice {
  readonly tag: string;
  readonly neighbour: RegionId;
  /** The least since it was chosen; what it costs now stands in the candidate. */
  readonly minCostMicros: number;
  readonly better: { readonly tag: string; readonly sinceMillis: number } | null;
  /** When this flow last left a path because it had become worse. */
  readonly fledAtMillis: number | null;
}

export interface Decision {
  readonly choice: Choice | null;
  /** Null: nothing changed. */
  readonly reason: string | null;
  /** When the decision should be looked at again though nothing happens. */
  readonly lookAgainMillis: number | null;
}

export const HOLD_MILLIS = 1_000;
/** One flight is at once; where everything around keeps getting worse and better, the next ones wait like the rest. */
export const CALM_AFTER_FLIGHT_MILLIS = 5_000;
const MIN_GAIN_MICROS = 1_000;

/** Worth a change: 15 % and 1 ms. */
export function isWorthIt(betterMicros: number, currentMicros: number): boolean {
  return currentMicros - betterMicros >= MIN_GAIN_MICROS && betterMicros * 115 <= currentMicros * 100;
}

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
    return { choice: null, reason: current ? "no path in the mesh is left" : null, lookAgainMillis: null };
  }
  const used = current && downstream.find((candidate) => candidate.tag === current.tag);
  if (!current || !used) {
    const known = current && candidates.find((candidate) => candidate.tag === current.tag);
    const reason = !current
      ? `first path, ${costText(best.costMicros)}`
      : known
        ? `the link in use no longer leads downstream (${costText(known.onwardMicros)} from its far end, ${costText(ownCostMicros)} from here); this one costs ${costText(best.costMicros)}`
        : `the link in use went away; this one costs ${costText(best.costMicros)}`;
    return taken(best, reason, current?.fledAtMillis ?? null);
  }
  const minCostMicros = Math.min(current.minCostMicros, used.costMicros);
  if (best.tag === used.tag || !isWorthIt(best.costMicros, used.costMicros)) {
    return { choice: { ...current, minCostMicros, better: null }, reason: null, lookAgainMillis: null };
  }
  const comparison = `${costText(best.costMicros)} instead of ${costText(used.costMicros)}`;
  const isCalm = current.fledAtMillis === null || nowMillis - current.fledAtMillis >= CALM_AFTER_FLIGHT_MILLIS;
  if (isCalm && isWorthIt(minCostMicros, used.costMicros)) {
    const reason = `the path in use got worse (it was ${costText(minCostMicros)}): ${comparison}`;
    return taken(best, reason, nowMillis);
  }
  const since = current.better?.tag === best.tag ? current.better.sinceMillis : nowMillis;
  if (nowMillis - since >= HOLD_MILLIS) {
    return taken(best, `better for ${HOLD_MILLIS} ms: ${comparison}`, current.fledAtMillis);
  }
  return {
    choice: { ...current, minCostMicros, better: { tag: best.tag, sinceMillis: since } },
    reason: null,
    lookAgainMillis: since + HOLD_MILLIS,
  };
}

function taken(best: Candidate, reason: string, fledAtMillis: number | null): Decision {
  return {
    choice: {
      tag: best.tag,
      neighbour: best.neighbour,
      minCostMicros: best.costMicros,
      better: null,
      fledAtMillis,
    },
    reason,
    lookAgainMillis: null,
  };
}

/** The cheaper one; of equals the lower tag, so that nobody wavers. */
export function isBefore(a: Candidate, b: Candidate): boolean {
  return a.costMicros !== b.costMicros ? a.costMicros < b.costMicros : a.tag < b.tag;
}

export const costText = (micros: number): string => `${(micros / 1000).toFixed(1)} ms`;
