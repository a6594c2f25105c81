/** The reputation rule in exact integers, as contracts/libraries/ReputationRule.sol computes it. */
import { ceilDiv, larger, smaller } from "../model/arithmetic.ts";

/** Decayed credit of a seller, or of a seller from one buyer, in micro-units: 10^9 is a reference lease. */
export interface Credit {
  readonly delivered: bigint;
  readonly failed: bigint;
  /** Days since 1970 (UTC) to which both are decayed. */
  readonly day: number;
}

export interface SellerRecord {
  readonly current: Credit;
  /** The state before the first settlement of `current.day`: yesterday's score is computed from it. */
  readonly checkpoint: Credit;
}

export interface SettledCredit {
  /** x and y in micro-units, decayed since the lease's end. */
  readonly delivered: bigint;
  readonly failed: bigint;
  readonly buyerBond: bigint;
  readonly day: number;
}

export const ONE = 1_000_000_000n;
export const PAIR_CAP = ONE;
export const RAMP = 4n * ONE;
export const FAILURE_WEIGHT = 3n;
export const SCORE_SCALE = 1_000_000n;
export const HALF_LIFE_DAYS = 14;

export const NO_CREDIT: Credit = { delivered: 0n, failed: 0n, day: 0 };
export const NEWCOMER: SellerRecord = { current: NO_CREDIT, checkpoint: NO_CREDIT };

/** ⌊2^64 · 2^(−r/14)⌋ for r = 0..13. */
export const DECAY_FACTOR: readonly bigint[] = [
  18446744073709551616n,
  17555676923776752229n,
  16707652636178719991n,
  15900592032036389011n,
  15132516366888310227n,
  14401542479221475956n,
  13705878173351620644n,
  13043817825332782212n,
  12413738201122729700n,
  11814094476751270071n,
  11243416450733715988n,
  10700304939443141497n,
  10183428346603629346n,
  9691519398493622098n,
];

/** Half after 14 days, rounded down. @param days at least 0. */
export function decay(value: bigint, days: number): bigint {
  const halvings = Math.floor(days / HALF_LIFE_DAYS);
  if (halvings >= 64) return 0n;
  const rest = days % HALF_LIFE_DAYS;
  const halved = value >> BigInt(halvings);
  return rest === 0 ? halved : (halved * DECAY_FACTOR[rest]!) >> 64n;
}

/** The seller's and the pair's credit after one settlement. The weight of a lease grows with the buyer's bond, up to `fullBond`. */
export function settleCredit(
  seller: Credit,
  pair: Credit,
  lease: SettledCredit,
  fullBond: bigint,
): { seller: Credit; pair: Credit } {
  const { day } = lease;
  const weight = smaller(lease.buyerBond, fullBond);
  const cap = (PAIR_CAP * weight) / fullBond;
  const [x, y] = capped((lease.delivered * weight) / fullBond, ceilDiv(lease.failed * weight, fullBond), cap);

  const [a, b] = [decay(pair.delivered, day - pair.day), decay(pair.failed, day - pair.day)];
  const [delivered, failed] = capped(a + x, b + y, larger(a + b, cap));
  return {
    seller: {
      delivered: replaced(decay(seller.delivered, day - seller.day), a, delivered),
      failed: replaced(decay(seller.failed, day - seller.day), b, failed),
      day,
    },
    pair: { delivered, failed, day },
  };
}

/** `settleCredit`, and the checkpoint that the closing score needs. */
export function settleSeller(
  record: SellerRecord,
  pair: Credit,
  lease: SettledCredit,
  fullBond: bigint,
): { record: SellerRecord; pair: Credit } {
  const settled = settleCredit(record.current, pair, lease, fullBond);
  const checkpoint = record.current.day < lease.day ? record.current : record.checkpoint;
  return { record: { current: settled.seller, checkpoint }, pair: settled.pair };
}

/** 0 to 10^6: breadth `min(D / RAMP, 1)` times reliability `D / (D + 3F)`. */
export function score(delivered: bigint, failed: bigint): number {
  if (delivered === 0n) return 0;
  const breadth = delivered < RAMP ? delivered : RAMP;
  return Number((SCORE_SCALE * breadth * delivered) / (RAMP * (delivered + FAILURE_WEIGHT * failed)));
}

/** The score 0 to 10^6 on a day that is not before `credit.day`. */
export function scoreAt(credit: Credit, day: number): number {
  return score(decay(credit.delivered, day - credit.day), decay(credit.failed, day - credit.day));
}

/** The score 0 to 1000 of the day before `today`, which settlements of today do not change. */
export function closingScore(record: SellerRecord, today: number): number {
  const state = record.current.day === today ? record.checkpoint : record.current;
  return state.delivered === 0n ? 0 : Math.floor(scoreAt(state, today - 1) / 1000);
}

function capped(delivered: bigint, failed: bigint, cap: bigint): [bigint, bigint] {
  const sum = delivered + failed;
  return sum <= cap ? [delivered, failed] : [(delivered * cap) / sum, ceilDiv(failed * cap, sum)];
}

function replaced(total: bigint, part: bigint, by: bigint): bigint {
  return (total > part ? total - part : 0n) + by;
}
