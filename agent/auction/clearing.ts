/**
 * The reference clearing of the sealed-bid, two-sided, divisible, uniform-price auction, in exact integers. This code
 * sorts the book; the contract only checks a certificate, the indices of the two marginal orders. Prices are per lot and
 * slot; those named "scaled" are multiplied by 10^4.
 */

import { ceilDiv, larger, smaller } from "../model/arithmetic.ts";
import { BPS, MAX_BOOST_BPS, MAX_SCORE } from "../model/market.ts";
import type { Side } from "./commitment.ts";

export interface RevealedOrder {
  /** Place in commit order. */
  readonly index: number;
  readonly side: Side;
  readonly price: number;
  readonly lots: number;
  /** 0 to 1000: the region's closing score of the day before the commitment. */
  readonly score: number;
  /** Basis points: the boost of a bid, 0 if its budget did not cover it; the handicap of an ask. */
  readonly bps: number;
}

/** Indices of the marginal bid and the marginal ask. */
export interface Certificate {
  readonly bid: number;
  readonly ask: number;
}

export interface Clearing {
  readonly certificate: Certificate;
  readonly lotsTraded: number;
  readonly scaledLow: bigint;
  readonly scaledHigh: bigint;
  readonly scaledPrice: bigint;
  /** P, rounded up. */
  readonly price: bigint;
  /** Lots won by order index; orders without a fill are absent. */
  readonly fills: ReadonlyMap<number, number>;
}

const SCALE = BigInt(BPS);
/** No ask: higher than every effective price. */
const NO_ASK = 2n ** 48n - 1n;

/** E, by which orders are ranked, scaled: a bid's price raised by its boost, at most the cap; an ask's raised by its handicap. */
export function effectivePrice(order: RevealedOrder, cap: number): bigint {
  const raised = BigInt(order.price) * (SCALE + BigInt(order.bps));
  const scaledCap = BigInt(cap) * SCALE;
  return order.side === "bid" && raised > scaledCap ? scaledCap : raised;
}

/** Null if nothing trades. */
export function findCertificate(orders: readonly RevealedOrder[], cap: number): Certificate | null {
  return clearBook(orders, cap)?.certificate ?? null;
}

/** Null if nothing trades. @param cap the highest price that the auction allows. */
export function clearBook(orders: readonly RevealedOrder[], cap: number): Clearing | null {
  const bids = ranked(orders, "bid", cap);
  const asks = ranked(orders, "ask", cap);
  const fills = new Map<number, number>();
  let [b, a, lotsTraded] = [0, 0, 0];
  let [lastBid, lastAsk] = [0, 0];
  let [wanted, offered] = [bids[0]?.lots ?? 0, asks[0]?.lots ?? 0];
  while (b < bids.length && a < asks.length && bids[b]!.effective >= asks[a]!.effective) {
    const lots = Math.min(wanted, offered);
    fills.set(bids[b]!.index, (fills.get(bids[b]!.index) ?? 0) + lots);
    fills.set(asks[a]!.index, (fills.get(asks[a]!.index) ?? 0) + lots);
    [lastBid, lastAsk] = [b, a];
    lotsTraded += lots;
    wanted -= lots;
    offered -= lots;
    if (wanted === 0) wanted = bids[++b]?.lots ?? 0;
    if (offered === 0) offered = asks[++a]?.lots ?? 0;
  }
  if (lotsTraded === 0) return null;

  // A marginal order with lots left is itself the next order.
  const nextBid = bids[b]?.effective ?? 0n;
  const nextAsk = asks[a]?.effective ?? NO_ASK;
  const scaledLow = larger(nextBid, asks[lastAsk]!.effective);
  const scaledHigh = smaller(bids[lastBid]!.effective, nextAsk);
  const scaledPrice = scaledLow + (scaledHigh - scaledLow) / 2n;
  return {
    certificate: { bid: bids[lastBid]!.index, ask: asks[lastAsk]!.index },
    lotsTraded,
    scaledLow,
    scaledHigh,
    scaledPrice,
    price: BigInt(priceOf(scaledPrice)),
    fills,
  };
}

/** P: price units per lot and slot, rounded up. */
export function priceOf(scaledPrice: bigint): number {
  return Number(ceilDiv(scaledPrice, SCALE));
}

/** u: what the buyer pays per lot and slot, rounded up; its budget pays the rest of P. */
export function buyerUnitUp(scaledPrice: bigint, boostBps: number): bigint {
  return ceilDiv(scaledPrice, SCALE + BigInt(boostBps));
}

/** r: what the seller receives per lot and slot, rounded down; the pool receives the rest of P. */
export function sellerUnitDown(scaledPrice: bigint, handicapBps: number): bigint {
  return scaledPrice / (SCALE + BigInt(handicapBps));
}

/** The most that a boosted bid may cost its budget, per lot and slot. */
export function budgetNeed(order: RevealedOrder, cap: number): bigint {
  if (order.bps === 0) return 0n;
  const effective = effectivePrice(order, cap);
  return ceilDiv(effective, SCALE) - effective / (SCALE + BigInt(order.bps));
}

/** Basis points. @param score 0 to 1000. */
export function handicapOf(score: number): number {
  return MAX_SCORE - score;
}

/** Basis points, at most 2500. @param score 0 to 1000. */
export function maxBoost(score: number): number {
  return Math.floor((MAX_BOOST_BPS * score) / MAX_SCORE);
}

type Ranked = RevealedOrder & { readonly effective: bigint };

/** Best first: bids by falling E, asks by rising E; then the higher score, then the earlier commitment. */
function ranked(orders: readonly RevealedOrder[], side: Side, cap: number): Ranked[] {
  const better = side === "bid" ? -1 : 1;
  return orders
    .filter((order) => order.side === side)
    .map((order) => ({ ...order, effective: effectivePrice(order, cap) }))
    .sort((x, y) =>
      x.effective !== y.effective
        ? x.effective < y.effective
          ? -better
          : better
        : y.score - x.score || x.index - y.index,
    );
}
