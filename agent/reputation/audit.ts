/** Compares what the events give with what the chain says, region by region. Pure. */
import { type Deviation, type LeaseRecorded, rebuildReputation, sameCredit } from "./rebuild.ts";
import { type Credit, NEWCOMER, scoreAt } from "./rule.ts";

/** What the contract answers about a region. */
export interface ClaimedScore {
  readonly regionId: number;
  readonly state: Credit;
  readonly score: number;
}

export interface AuditedRegion {
  readonly regionId: number;
  readonly settlements: number;
  /** From the events alone. */
  readonly derivedScore: number;
  readonly claimedScore: number;
  readonly matches: boolean;
}

export interface AuditResult {
  readonly settlements: number;
  readonly regions: readonly AuditedRegion[];
  /** Settlements whose written state is not what the rule gives. */
  readonly deviations: readonly Deviation[];
  readonly matches: boolean;
}

export function auditReputation(
  events: readonly LeaseRecorded[],
  claimed: readonly ClaimedScore[],
  fullBond: bigint,
  day: number,
): AuditResult {
  const rebuilt = rebuildReputation(events, fullBond);
  const regions = claimed.map(({ regionId, state, score }) => {
    const { current } = rebuilt.sellers.get(regionId) ?? NEWCOMER;
    const derivedScore = scoreAt(current, day);
    return {
      regionId,
      settlements: events.filter((event) => event.seller === regionId).length,
      derivedScore,
      claimedScore: score,
      matches: derivedScore === score && sameCredit(current, state),
    };
  });
  const unknown = [...rebuilt.sellers.keys()].some((id) => !claimed.some((c) => c.regionId === id));
  return {
    settlements: events.length,
    regions,
    deviations: rebuilt.deviations,
    matches: !unknown && rebuilt.deviations.length === 0 && regions.every((region) => region.matches),
  };
}
