/** Settlement of a lease, exactly as the escrow computes it. A disputed claim never earns its author money. */
import { ceilDiv, larger, smaller } from "../model/arithmetic.ts";
import { GRACE_SECONDS, SLOT_SECONDS } from "../model/market.ts";

export interface SettlementTerms {
  readonly lots: bigint;
  readonly lotMbps: bigint;
  readonly slots: bigint;
  /** u, r and P: price units per lot and slot. */
  readonly buyerPrice: bigint;
  readonly sellerPrice: bigint;
  readonly price: bigint;
  /** The part of the ask's bond that backs this lease. */
  readonly bondShare: bigint;
  /** Price units for the credit of a reference lease; 0 during a credit suspension. */
  readonly creditFee: bigint;
}

export interface SettlementFacts {
  /** E: the second of a co-signed release, or the term; seconds since the lease's start. */
  readonly end: bigint;
  /** t0 and A0: covered and available seconds of the last co-signed receipt; 0 without one. */
  readonly covered: bigint;
  readonly available: bigint;
  /** Claimed available seconds, in any order: none, one or two claims. */
  readonly claims: readonly bigint[];
  /** The side that posted no claim although the other did. */
  readonly silent: "nobody" | "seller" | "buyer";
}

export interface Settlement {
  readonly end: bigint;
  /** a and b: available seconds that nobody disputes, and that at least one side claims. */
  readonly lower: bigint;
  readonly upper: bigint;
  readonly failed: bigint;
  /** Seconds after the last co-signed receipt and 30 s of grace: neither available nor failed. */
  readonly voided: bigint;
  /** Price units. */
  readonly sellerGets: bigint;
  readonly budgetPays: bigint;
  readonly buyerPays: bigint;
  readonly slash: bigint;
  readonly fee: bigint;
  /** x and y: credit in micro-units. */
  readonly delivered: bigint;
  readonly notDelivered: bigint;
}

/** Seconds. */
const SLOT = BigInt(SLOT_SECONDS);
const ONE = 1_000_000_000n;
/** A reference lease: 100 Mbit/s for one hour. */
const REFERENCE_MBITS = 360_000n;

/** MARKET.md section 4 and REPUTATION.md section 3. */
export function settleLease(terms: SettlementTerms, facts: SettlementFacts): Settlement {
  const term = SLOT * terms.slots;
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

/** Whether more than a twentieth of the term is void or disputed: then the pair's credit is suspended for 14 days. */
export function isContested({ voided, upper, lower }: Settlement, slots: bigint): boolean {
  return 20n * (voided + upper - lower) > SLOT * slots;
}
