/** How each settlement affects a score, and how the next one would. Pure. */
import { type LeaseRecorded, RebuiltReputation } from "./rebuild.ts";
import { NEWCOMER, ONE, scoreAt } from "./rule.ts";

export interface Contribution {
  readonly leaseId: string;
  readonly buyer: number;
  readonly day: number;
  /** Micro-units as settled, before decay. */
  readonly delivered: bigint;
  readonly failed: bigint;
  /** The score minus the score without this settlement. */
  readonly effect: number;
}

export interface Prospect {
  /** Null: a new buyer with a full bond. */
  readonly buyer: number | null;
  /** The score after one more reference lease (100 Mbit/s for an hour) that was delivered, or that failed, in full. */
  readonly delivered: number;
  readonly failed: number;
}

export interface Explanation {
  readonly score: number;
  /** The latest settlements, newest first: at most 200, from the last 112 days. */
  readonly contributions: readonly Contribution[];
  /** How many settlements count in the score but are not listed. */
  readonly others: number;
  readonly prospects: readonly Prospect[];
}

/** Eight half-lives: an older settlement has less than 1/200 of its weight left. */
const MAX_AGE_DAYS = 112;
/** Each contribution costs one replay of the whole history. */
const MAX_CONTRIBUTIONS = 200;

/** @param events of one seller, in chain order. @param day days since 1970. */
export function explainScore(events: readonly LeaseRecorded[], fullBond: bigint, day: number): Explanation {
  const seller = events[0]?.seller ?? 0;
  const scoreOf = (rebuilt: RebuiltReputation) => scoreAt((rebuilt.sellers.get(seller) ?? NEWCOMER).current, day);
  const after = (history: readonly LeaseRecorded[]) => {
    const rebuilt = new RebuiltReputation(fullBond);
    for (const event of history) rebuilt.apply(event);
    return rebuilt;
  };
  const whole = after(events);
  const score = scoreOf(whole);
  const recent = events.filter((event) => day - event.day <= MAX_AGE_DAYS).slice(-MAX_CONTRIBUTIONS);
  const contributions = recent.toReversed().map((event) => ({
    leaseId: event.leaseId,
    buyer: event.buyer,
    day: event.day,
    delivered: event.delivered,
    failed: event.failed,
    effect: score - scoreOf(after(events.filter((other) => other !== event))),
  }));
  const bonds = new Map(events.map(({ buyer, buyerBond }) => [buyer, buyerBond]));
  const newBuyer = [...Array(bonds.size + 1).keys()].map((i) => i + 1).find((id) => !bonds.has(id))!;
  const scoreAfter = (buyer: number, delivered: bigint, failed: bigint) => {
    const next = new RebuiltReputation(fullBond, whole);
    const last = next.sellers.get(seller) ?? NEWCOMER;
    next.apply({
      ...{ seller, buyer, delivered, failed, buyerBond: bonds.get(buyer) ?? fullBond, endDay: day, day },
      ...{ leaseId: "0x", sellerState: last.current, pairState: last.current },
    });
    return scoreOf(next);
  };
  const prospect = (buyer: number, known: boolean): Prospect => ({
    buyer: known ? buyer : null,
    delivered: scoreAfter(buyer, ONE, 0n),
    failed: scoreAfter(buyer, 0n, ONE),
  });
  return {
    score,
    contributions,
    others: events.length - recent.length,
    prospects: [
      ...[...bonds.keys()].sort((a, b) => a - b).map((buyer) => prospect(buyer, true)),
      prospect(newBuyer, false),
    ],
  };
}
