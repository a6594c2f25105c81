/** Our rule, which is the product's own clearing, and four from the literature, over the same books. */
import { buyerUnitUp, clearBook, sellerUnitDown } from "../../agent/auction/clearing.ts";
import type { Side } from "../../agent/auction/commitment.ts";

export interface Order {
  readonly side: Side;
  readonly price: number;
  readonly lots: number;
  readonly score: number;
  readonly bps: number;
}

/** For each order: lots won, and what it pays (bid) or receives (ask). */
export interface Outcome {
  readonly fills: readonly number[];
  readonly money: readonly number[];
}

export type Rule = (orders: readonly Order[]) => Outcome;

export const CAP = 20_000;

export const RULES: Readonly<Record<string, Rule>> = {
  ours,
  "first-excluded": firstExcluded,
  "trade reduction": tradeReduction,
  McAfee: mcAfee,
  VCG: vcg,
};

export function ours(orders: readonly Order[]): Outcome {
  const cleared = clearBook(
    orders.map((order, index) => ({ ...order, index })),
    CAP,
  );
  const fills = orders.map((_, i) => cleared?.fills.get(i) ?? 0);
  const money = orders.map(({ side, bps }, i) => {
    if (!cleared || fills[i] === 0) return 0;
    const unit = side === "bid" ? buyerUnitUp(cleared.scaledPrice, bps) : sellerUnitDown(cleared.scaledPrice, bps);
    return fills[i]! * Number(unit);
  });
  return { fills, money };
}

/** Half-way between the first excluded bid and ask, kept within the marginal ones: uniform, efficient, in balance. */
function firstExcluded(orders: readonly Order[]): Outcome {
  const walk = walked(orders);
  const price = clamp((walk.excludedBid + walk.excludedAsk) / 2, walk.lastAsk, walk.lastBid);
  return priced(orders, walk.fills, price, price);
}

/** The marginal bid and ask do not trade, and set the price of the others, so nobody can change its own price. */
function tradeReduction(orders: readonly Order[]): Outcome {
  const { last, lastBid, lastAsk } = walked(orders);
  const rest = orders.map((order, i) => (last.includes(i) ? { ...order, lots: 0 } : order));
  return priced(orders, walked(rest).fills, lastBid, lastAsk);
}

/** All trade at the mean of the first excluded pair if the marginal pair accepts it; otherwise trade reduction. */
function mcAfee(orders: readonly Order[]): Outcome {
  const walk = walked(orders);
  const price = (walk.excludedBid + walk.excludedAsk) / 2;
  const both = walk.excludedBid > 0 && walk.excludedAsk < CAP;
  if (!both || price < walk.lastAsk || price > walk.lastBid) return tradeReduction(orders);
  return priced(orders, walk.fills, price, price);
}

/** VCG: efficient; each pays or receives what its presence changes for the others. */
function vcg(orders: readonly Order[]): Outcome {
  const { fills } = walked(orders);
  const all = welfare(orders, fills);
  const money = orders.map(({ side, price }, i) => {
    if (fills[i] === 0) return 0;
    const without = orders.filter((_, j) => j !== i);
    const adds = all - welfare(without, walked(without).fills);
    return side === "bid" ? price * fills[i]! - adds : price * fills[i]! + adds;
  });
  return { fills, money };
}

export function welfare(orders: readonly Order[], fills: readonly number[]): number {
  return orders.reduce((sum, { side, price }, i) => sum + (side === "bid" ? 1 : -1) * price * fills[i]!, 0);
}

interface Walk {
  readonly fills: readonly number[];
  /** Places of the marginal bid and ask; empty where nothing trades. */
  readonly last: readonly number[];
  readonly lastBid: number;
  readonly lastAsk: number;
  /** Prices of the first bid and ask without a fill; 0 and the cap if there is none. */
  readonly excludedBid: number;
  readonly excludedAsk: number;
}

function walked(orders: readonly Order[]): Walk {
  const ranked = (side: Side) =>
    orders
      .map((order, i) => ({ ...order, i }))
      .filter((order) => order.side === side && order.lots > 0)
      .sort((a, b) => (side === "bid" ? b.price - a.price : a.price - b.price) || a.i - b.i);
  const [bids, asks] = [ranked("bid"), ranked("ask")];
  const fills = orders.map(() => 0);
  let [b, a, last] = [0, 0, [] as number[]];
  while (b < bids.length && a < asks.length && bids[b]!.price >= asks[a]!.price) {
    const [bid, ask] = [bids[b]!, asks[a]!];
    const lots = Math.min(bid.lots - fills[bid.i]!, ask.lots - fills[ask.i]!);
    fills[bid.i]! += lots;
    fills[ask.i]! += lots;
    last = [bid.i, ask.i];
    if (fills[bid.i] === bid.lots) b++;
    if (fills[ask.i] === ask.lots) a++;
  }
  const first = (list: readonly { price: number; i: number }[]) => list.find(({ i }) => fills[i] === 0)?.price;
  return {
    fills,
    last,
    lastBid: orders[last[0] ?? -1]?.price ?? 0,
    lastAsk: orders[last[1] ?? -1]?.price ?? CAP,
    excludedBid: first(bids) ?? 0,
    excludedAsk: first(asks) ?? CAP,
  };
}

function priced(orders: readonly Order[], fills: readonly number[], buyers: number, sellers: number): Outcome {
  return { fills, money: orders.map(({ side }, i) => fills[i]! * (side === "bid" ? buyers : sellers)) };
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}
