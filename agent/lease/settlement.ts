/** Who pays what for a lease, exactly as the escrow computes it: no claim in dispute earns its author money at any size. */

import { ceilDiv, larger, smaller } from "../model/arithmetic.ts";
import { GRACE_SECONDS } from "../model/market.ts";

export interface SettlementTerms {
  readonly lots: bigint;
  readonly lotMbps: bigint;
  readonly slots: bigint;
  /** u, r and P: price units per lot and slot. */
  readonly buyerPrice: bigint;
  readonly sellerPrice: bigint;
  readonly price: bigint;
  /** Of the ask's bond, for this lease. */
  readonly bondShare: bigint;
  /** Price units for a whole reference lease of credit; 0 for a pair under a block. */
  readonly creditFee: bigint;
}

export interface SettlementFacts {
  /** E: second of a co-signed release, or the term. */
  readonly end: bigint;
  /** t0 and A0 of the last co-signed receipt; none: 0 and 0. */
  readonly covered: bigint;
  readonly available: bigint;
  /** Claims of available seconds, in any order: none, one or two. */
  readonly claims: readonly bigint[];
  /** The one side that posted nothing while the other did. */
  readonly silent: "nobody" | "seller" | "buyer";
}

export interface Settlement {
  readonly end: bigint;
  /** a and b: seconds that are agreed, seconds that somebody claims. */
  readonly lower: bigint;
  readonly upper: bigint;
  readonly failed: bigint;
  readonly voided: bigint;
  readonly sellerGets: bigint;
  readonly budgetPays: bigint;
  readonly buyerPays: bigint;
  readonly slash: bigint;
  readonly fee: bigint;
  /** x and y: credit in micro-units. */
  readonly delivered: bigint;
  readonly notDelivered: bigint;
}

const SLOT_SECONDS = 60n;
const ONE = 1_000_000_000n;
/** A reference lease: 100 Mbit/s for one hour. */
const REFERENCE_MBITS = 360_000n;

export function settleLease(terms: SettlementTerms, facts: SettlementFacts): Settlement {
  const term = SLOT_SECONDS * terms.slots;
  const buyerTotal = terms.lots * terms.buyerPrice * terms.slots;
  const budgetTotal = terms.lots * (terms.price - terms.buyerPrice) * terms.slots;
  const sellerTotal = terms.lots * terms.sellerPrice * terms.slots;

  const grace = facts.claims.length === 0 ? 0n : smaller(BigInt(GRACE_SECONDS), facts.end - facts.covered);
  const counted = (facts.claims.length === 0 ? [facts.available] : facts.claims).map((claim) =>
    claim < facts.available ? facts.available : smaller(claim, facts.available + grace),
  );
  const lower = counted.reduce(smaller);
  const upper = counted.reduce(larger);
  const failed = facts.covered + grace - upper;
  const voided = facts.end - facts.covered - grace;

  const breakCost = (smaller(buyerTotal / 5n, terms.bondShare) * voided) / term;
  const [buyerBreak, sellerBreak] = {
    nobody: [breakCost, breakCost],
    buyer: [2n * breakCost, 0n],
    seller: [0n, 2n * breakCost],
  }[facts.silent] as [bigint, bigint];

  const sellerGets = (sellerTotal * lower) / term;
  const slash = smaller(terms.bondShare, (terms.bondShare * failed) / term + sellerBreak);
  const promised = (terms.lots * terms.lotMbps * term * ONE) / REFERENCE_MBITS;
  const delivered = (promised * lower) / term;
  const due = ceilDiv(terms.creditFee * delivered, ONE);
  const fee = smaller(due, sellerGets + terms.bondShare - slash);
  return {
    end: facts.end,
    lower,
    upper,
    failed,
    voided,
    sellerGets,
    budgetPays: (budgetTotal * lower) / term,
    buyerPays: smaller(buyerTotal, ceilDiv(buyerTotal * upper, term) + buyerBreak),
    slash,
    fee,
    delivered: due === 0n ? delivered : (delivered * fee) / due,
    notDelivered: ceilDiv(promised * (failed + ceilDiv(upper - lower, 2n) + ceilDiv(voided, 10n)), term),
  };
}

/** More than a twentieth of the term void or disputed: the pair carries no credit for 14 days. */
export function isContested({ voided, upper, lower }: Settlement, slots: bigint): boolean {
  return 20n * (voided + upper - lower) > SLOT_SECONDS * slots;
}
