/**
 * From policy to orders, pure. Prices in the policy are per 100 Mbit/s and slot of 60 s; an order's are per lot and
 * slot: asks are rounded up and bids down, so that no rounding works against the region that ordered.
 */
import type { BuyPolicy, Config } from "../config.ts";
import { larger, smaller } from "../model/arithmetic.ts";
import { BPS, PRICED_MBPS } from "../model/market.ts";
import { maxBoost } from "./clearing.ts";

/** What of a policy decides prices and amounts. */
export type PricePolicy = Pick<BuyPolicy, "maxPrice" | "boost" | "maxMbps" | "budgetPerDay">;

export interface OrderTerms {
  readonly lotMbps: number;
  readonly slots: number;
  readonly priceCap: number;
}

export interface OrderPlan {
  readonly price: number;
  readonly lots: number;
  readonly boostBps: number;
  readonly bond: bigint;
  readonly reasons: readonly string[];
}

export interface Funds {
  /** The region's free balance in the escrow, in price units. */
  readonly free: bigint;
  /** What the agent may still spend of its allowance, in price units. */
  readonly allowance: bigint;
  readonly minBond: bigint;
}

/** What reputation lets a bid do (MARKET.md, section 3). */
export interface Priority {
  /** Closing score, 0 to 1000, that the commitment will record; null: the day may end before the order is committed. */
  readonly score: number | null;
  /** Price units of this week's budget that no order holds or has used. */
  readonly budgetLeft: bigint;
}

export type Declined = { readonly declined: string };

/** Mbit/s of a lot: 10 keeps small demands divisible; above 1 Gbit/s it is 100, so that books stay short. */
export function lotFor(demandMbps: number): number {
  return demandMbps > 1000 ? 100 : 10;
}

/** Price units per lot and slot. The next power of two from twice the opener's limit: it does not reveal the limit. */
export function priceCapFor(policy: Pick<BuyPolicy, "maxPrice">, lotMbps: number): number {
  const limit = Math.max(1, Math.floor((policy.maxPrice * lotMbps) / PRICED_MBPS));
  return Math.min(2 ** 32 - 1, 2 ** Math.ceil(Math.log2(limit * 2)));
}

/** The bid for a demand, as large as the policy and the funds allow; or why there is none. @param spentToday price units */
export function planBid(
  demandMbps: number,
  policy: PricePolicy,
  terms: OrderTerms,
  funds: Funds,
  priority: Priority,
  spentToday: bigint,
): OrderPlan | Declined {
  const price = Math.min(terms.priceCap, Math.floor((policy.maxPrice * terms.lotMbps) / PRICED_MBPS));
  if (price < 1)
    return { declined: `maxPrice ${policy.maxPrice} is below one price unit for a lot of ${terms.lotMbps} Mbit/s` };
  const perLot = BigInt(price) * BigInt(terms.slots);
  const limits = [
    { lots: Math.ceil(demandMbps / terms.lotMbps), reason: `the demand of ${demandMbps} Mbit/s` },
    { lots: Math.floor(policy.maxMbps / terms.lotMbps), reason: `buy.maxMbps of ${policy.maxMbps} Mbit/s` },
    {
      lots: Number((BigInt(policy.budgetPerDay) - spentToday) / perLot),
      reason: `what is left of today's budget of ${policy.budgetPerDay}`,
    },
    { lots: Number(funds.free / perLot), reason: `the free balance of ${funds.free} price units` },
    { lots: Number(funds.allowance / perLot), reason: `the agent's allowance of ${funds.allowance} price units` },
  ];
  const tightest = limits.reduce((a, b) => (b.lots < a.lots ? b : a));
  if (tightest.lots < 1) return { declined: `not one lot is within ${tightest.reason}` };
  const boost = boostFor(policy, priority);
  return {
    price,
    lots: tightest.lots,
    boostBps: boost.bps,
    bond: bondFor(perLot * BigInt(tightest.lots), funds),
    reasons: [
      `price ${price}: maxPrice ${policy.maxPrice} per 100 Mbit/s, for a lot of ${terms.lotMbps} Mbit/s, rounded down`,
      `${tightest.lots} lots and not more: ${tightest.reason}`,
      boost.reason,
    ],
  };
}

/** A boost above what the score allows could not be revealed, and the bond would be lost: without certainty there is none. */
function boostFor(
  policy: PricePolicy,
  { score, budgetLeft }: Priority,
): { readonly bps: number; readonly reason: string } {
  if (policy.boost === 0) return { bps: 0, reason: "no boost: the policy wants none" };
  if (score === null)
    return { bps: 0, reason: "no boost: the day ends, and the score may change, before the commitment" };
  if (budgetLeft === 0n) return { bps: 0, reason: "no boost: nothing is left of this week's priority budget" };
  const allowed = maxBoost(score);
  const bps = Math.min(allowed, Math.round(policy.boost * BPS));
  return {
    bps,
    reason: `boost ${bps / 100} %: the policy's ${policy.boost * 100} %, at most ${allowed / 100} % with a score of ${score}; the bid is ranked as if its price were higher by the boost, and this week's priority budget (${budgetLeft} left) pays the difference`,
  };
}

/** The ask that offers spare capacity in an auction, at the policy's floor price; or why there is none. */
export function planAsk(
  sell: NonNullable<Config["sell"]>,
  spareMbps: number,
  terms: OrderTerms,
  funds: Funds,
): OrderPlan | Declined {
  const price = Math.max(1, Math.ceil((sell.floorPrice * terms.lotMbps) / PRICED_MBPS));
  if (price > terms.priceCap)
    return { declined: `the floor of ${price} a lot is above the auction's cap of ${terms.priceCap}` };
  const limits = [
    {
      lots: Math.floor(spareMbps / terms.lotMbps),
      reason: `the ${spareMbps} Mbit/s that are spare and not sold or offered (transit counted twice)`,
    },
    {
      lots: Math.floor(sell.perAuctionMbps / terms.lotMbps),
      reason: `sell.perAuctionMbps of ${sell.perAuctionMbps} Mbit/s`,
    },
  ];
  const tightest = limits.reduce((a, b) => (b.lots < a.lots ? b : a));
  if (tightest.lots < 1) return { declined: `not one lot is within ${tightest.reason}` };
  const bond = bondFor(BigInt(price) * BigInt(tightest.lots) * BigInt(terms.slots), funds);
  if (bond > funds.free || bond > funds.allowance)
    return {
      declined: `the bond of ${bond} is above the free balance (${funds.free}) or the agent's allowance (${funds.allowance})`,
    };
  return {
    price,
    lots: tightest.lots,
    boostBps: 0,
    bond,
    reasons: [
      `price ${price}: floorPrice ${sell.floorPrice} per 100 Mbit/s, for a lot of ${terms.lotMbps} Mbit/s, rounded up`,
      `${tightest.lots} lots and not more: ${tightest.reason}`,
    ],
  };
}

/**
 * What a region may still offer over an underlay (INV-11). A sold Mbit/s may cross the router twice, in and out, when the
 * region is transit for its buyer, so what is sold or offered counts twice and so does what is offered now.
 */
export function spareMbps(underlaySpareMbps: number, reserveMbps: number, soldOrOfferedMbps: number): number {
  return Math.max(0, Math.floor((underlaySpareMbps - reserveMbps - 2 * soldOrOfferedMbps) / 2));
}

/** The reveal requires 5 · bond ≥ notional. The next power of two hides the size (INV-3), if the funds allow. */
function bondFor(notional: bigint, funds: Funds): bigint {
  const needed = larger((notional + 4n) / 5n, funds.minBond);
  let hidden = 1n;
  while (hidden < needed) hidden *= 2n;
  const available = smaller(funds.free, funds.allowance);
  return hidden <= available ? hidden : needed;
}
