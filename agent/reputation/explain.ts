/** Why a score is what it is, and what the next leases would make of it. Pure. */
import { type LeaseRecorded, Rebuild } from "./rebuild.ts";
import { NEWCOMER, ONE, scoreAt } from "./rule.ts";

export interface Contribution {
  readonly leaseId: string;
  readonly buyer: number;
  readonly day: number;
  /** Micro-units as settled. */
  readonly delivered: bigint;
  readonly failed: bigint;
  /** Today's score less what it would be without this settlement. */
  readonly effect: number;
}

export interface Prospect {
  /** Null: a buyer that this seller has never had, with a full bond. */
  readonly buyer: number | null;
  /** Today's score after one more reference lease (100 Mbit/s for an hour) that was kept wholly, or failed wholly. */
  readonly perfect: number;
  readonly failed: number;
}

export interface Explanation {
  readonly score: number;
  /** Those that still weigh, the newest first. */
  readonly contributions: readonly Contribution[];
  /** Settlements too old, or too many, to be told apart: they are in the score all the same. */
  readonly others: number;
  readonly prospects: readonly Prospect[];
}

/** Eight half-lives: what is older weighs less than a two-hundredth. */
const OLDEST_DAYS = 112;
/** Each is left out once of a whole history. */
const MOST = 200;

/** @param events of one seller, in the order of the chain. */
export function explainScore(events: readonly LeaseRecorded[], fullBond: bigint, day: number): Explanation {
  const seller = events[0]?.seller ?? 0;
  const scoreOf = (rebuild: Rebuild) => scoreAt((rebuild.sellers.get(seller) ?? NEWCOMER).current, day);
  const after = (history: readonly LeaseRecorded[]) => {
    const rebuild = new Rebuild(fullBond);
    for (const event of history) rebuild.apply(event);
    return rebuild;
  };
  const whole = after(events);
  const score = scoreOf(whole);
  const recent = events.filter((event) => day - event.day <= OLDEST_DAYS).slice(-MOST);
  const contributions = recent.toReversed().map((event) => ({
    leaseId: event.leaseId,
    buyer: event.buyer,
    day: event.day,
    delivered: event.delivered,
    failed: event.failed,
    effect: score - scoreOf(after(events.filter((other) => other !== event))),
  }));
  const bonds = new Map(events.map(({ buyer, buyerBond }) => [buyer, buyerBond]));
  const stranger = [...Array(bonds.size + 1).keys()].map((i) => i + 1).find((id) => !bonds.has(id))!;
  const with_ = (buyer: number, delivered: bigint, failed: bigint) => {
    const next = new Rebuild(fullBond, whole);
    const last = next.sellers.get(seller) ?? NEWCOMER;
    next.apply({
      ...{ seller, buyer, delivered, failed, buyerBond: bonds.get(buyer) ?? fullBond, endDay: day, day },
      ...{ leaseId: "0x", sellerState: last.current, pairState: last.current },
    });
    return scoreOf(next);
  };
  const prospect = (buyer: number, known: boolean): Prospect => ({
    buyer: known ? buyer : null,
    perfect: with_(buyer, ONE, 0n),
    failed: with_(buyer, 0n, ONE),
  });
  return {
    score,
    contributions,
    others: events.length - recent.length,
    prospects: [
      ...[...bonds.keys()].sort((a, b) => a - b).map((buyer) => prospect(buyer, true)),
      prospect(stranger, false),
    ],
  };
}
