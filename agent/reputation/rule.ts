/** The reputation rule in exact integers: decayed credit, capped by pair, weighted by the buyer's bond. */
import { ceilDiv, larger, smaller } from "../model/arithmetic.ts";

export interface Credit {
  readonly delivered: bigint;
  readonly failed: bigint;
  /** Since 1970, as of which the two are decayed. */
  readonly day: number;
}

export interface SellerRecord {
  readonly current: Credit;
  /** The raw state before the first touch of `current.day`: what yesterday's score is read from. */
  readonly checkpoint: Credit;
}

export interface SettledCredit {
  /** x and y in micro-units, already decayed from the lease's end. */
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

export function decay(value: bigint, days: number): bigint {
  const halvings = Math.floor(days / HALF_LIFE_DAYS);
  if (halvings >= 64) return 0n;
  const rest = days % HALF_LIFE_DAYS;
  const halved = value >> BigInt(halvings);
  return rest === 0 ? halved : (halved * DECAY_FACTOR[rest]!) >> 64n;
}

/** One lease settled: the seller's and the pair's credit after it. */
export function settleCredit(
  seller: Credit,
  pair: Credit,
  lease: SettledCredit,
  fullBond: bigint,
): { seller: Credit; pair: Credit } {
  const { day } = lease;
  const weight = smaller(lease.buyerBond, fullBond);
  const most = (PAIR_CAP * weight) / fullBond;
  const [x, y] = capped((lease.delivered * weight) / fullBond, ceilDiv(lease.failed * weight, fullBond), most);

  const [a, b] = [decay(pair.delivered, day - pair.day), decay(pair.failed, day - pair.day)];
  const [delivered, failed] = capped(a + x, b + y, larger(a + b, most));
  return {
    seller: {
      delivered: replaced(decay(seller.delivered, day - seller.day), a, delivered),
      failed: replaced(decay(seller.failed, day - seller.day), b, failed),
      day,
    },
    pair: { delivered, failed, day },
  };
}

/** The same, keeping the checkpoint for the closing score. */
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

/** 0..10^6: breadth `min(D / RAMP, 1)` times reliability `D / (D + 3F)`. */
export function score(delivered: bigint, failed: bigint): number {
  if (delivered === 0n) return 0;
  const breadth = delivered < RAMP ? delivered : RAMP;
  return Number((SCORE_SCALE * breadth * delivered) / (RAMP * (delivered + FAILURE_WEIGHT * failed)));
}

export function scoreAt(credit: Credit, day: number): number {
  return score(decay(credit.delivered, day - credit.day), decay(credit.failed, day - credit.day));
}

/** 0..1000, of the day before `today`: nothing that happens today moves it. */
export function closingScore(record: SellerRecord, today: number): number {
  const state = record.current.day === today ? record.checkpoint : record.current;
  return state.delivered === 0n ? 0 : Math.floor(scoreAt(state, today - 1) / 1000);
}

function capped(delivered: bigint, failed: bigint, most: bigint): [bigint, bigint] {
  const sum = delivered + failed;
  return sum <= most ? [delivered, failed] : [(delivered * most) / sum, ceilDiv(failed * most, sum)];
}

function replaced(total: bigint, part: bigint, by: bigint): bigint {
  return (total > part ? total - part : 0n) + by;
}
