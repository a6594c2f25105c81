/** The pool over years: income from handicaps and fees, spending on boosts, with the product's clearing and score. */
import {
  budgetNeed,
  buyerUnitUp,
  clearBook,
  handicapOf,
  maxBoost,
  sellerUnitDown,
} from "../../agent/auction/clearing.ts";
import { overlapsOf } from "../../agent/auction/leases.ts";
import { ceilDiv } from "../../agent/model/arithmetic.ts";
import {
  type Credit,
  closingScore,
  NEWCOMER,
  NO_CREDIT,
  ONE,
  type SellerRecord,
  settleSeller,
} from "../../agent/reputation/rule.ts";
import type { Random } from "./books.ts";
import { CAP } from "./rules.ts";

export interface World {
  readonly regions: number;
  readonly weeks: number;
  readonly auctionsPerWeek: number;
  readonly ordersPerAuction: number;
  /** Share of leases that a region serves in full; the others fail completely. */
  readonly quality: (region: number) => number;
  /** A region is replaced by a newcomer once in this many weeks, on average. */
  readonly turnoverWeeks: number;
}

export interface Years {
  /** Pool at the end of each week, in parts of that week's turnover averaged over the run. */
  readonly pool: readonly number[];
  /** Income and spending, as shares of turnover. */
  readonly inflow: number;
  readonly outflow: number;
  /** Share of the requested boosts that the budget covered. */
  readonly covered: number;
  readonly meanScore: number;
}

const SLOTS = 60n;
const SHARE_LIMIT = 8;

export function simulateYears(world: World, random: Random): Years {
  const sellers: SellerRecord[] = Array.from({ length: world.regions }, () => NEWCOMER);
  const pairs = new Map<string, Credit>();
  let [pool, turnover, inflow, outflow] = [0n, 0n, 0n, 0n];
  let [asked, borne, scoreSum] = [0, 0, 0];
  const pools: bigint[] = [];
  for (let week = 0; week < world.weeks; week++) {
    const day = 10_000 + 7 * week;
    if (random() < world.regions / world.turnoverWeeks) replace(Math.floor(random() * world.regions));
    const scores = sellers.map((record) => closingScore(record, day));
    scoreSum += scores.reduce((a, b) => a + b, 0) / world.regions;
    const sum = BigInt(scores.reduce((a, b) => a + b, 0));
    const start = pool;
    const left = scores.map((score) => {
      const share = sum === 0n ? 0n : (start * BigInt(score)) / sum;
      return share < start / BigInt(SHARE_LIMIT) ? share : start / BigInt(SHARE_LIMIT);
    });
    for (let auction = 0; auction < world.auctionsPerWeek; auction++) trade(day, scores, left);
    pools.push(pool);
  }
  const perWeek = Number(turnover) / world.weeks || 1;
  return {
    pool: pools.map((value) => Number(value) / perWeek),
    inflow: Number(inflow) / Number(turnover),
    outflow: Number(outflow) / Number(turnover),
    covered: asked === 0 ? 1 : borne / asked,
    meanScore: scoreSum / world.weeks,
  };

  function replace(region: number): void {
    sellers[region] = NEWCOMER;
    for (const key of [...pairs.keys()]) if (key.startsWith(`${region} `)) pairs.delete(key);
  }

  function trade(day: number, scores: readonly number[], left: bigint[]): void {
    const chosen = drawn(world.regions, world.ordersPerAuction, random);
    const orders = chosen.map((region, index) => {
      const score = scores[region]!;
      const side = index % 2 === 0 ? ("bid" as const) : ("ask" as const);
      const price = 1 + Math.floor(random() * 10_000);
      const lots = 1 + Math.floor(random() * 4);
      const order = { index, side, price, lots, score, bps: side === "ask" ? handicapOf(score) : maxBoost(score) };
      if (side === "ask" || order.bps === 0) return order;
      asked++;
      const need = budgetNeed(order, CAP) * BigInt(lots) * SLOTS;
      if (need > left[region]!) return { ...order, bps: 0 };
      borne++;
      return order;
    });
    const cleared = clearBook(orders, CAP);
    if (!cleared) return;
    for (const { ask, bid, lots } of overlapsOf(orders, cleared.fills)) {
      const [seller, buyer] = [chosen[ask]!, chosen[bid]!];
      const r = sellerUnitDown(cleared.scaledPrice, orders[ask]!.bps);
      const u = buyerUnitUp(cleared.scaledPrice, orders[bid]!.bps);
      const amount = (unit: bigint) => unit * BigInt(lots) * SLOTS;
      const served = random() < world.quality(seller);
      const promised = BigInt(lots) * ONE; // lots of 100 Mbit/s for an hour
      settle(day, seller, buyer, served ? promised : 0n, served ? 0n : promised);
      if (!served) {
        // Nothing is paid, and a fifth of the seller's asking price is slashed.
        const slash = amount(BigInt(orders[ask]!.price)) / 5n;
        [pool, inflow] = [pool + slash, inflow + slash];
        continue;
      }
      const fee = ceilDiv(amount(cleared.price), 100n);
      const subsidy = amount(cleared.price - u);
      [pool, inflow] = [pool + amount(cleared.price - r) + fee, inflow + amount(cleared.price - r) + fee];
      [pool, outflow, turnover] = [pool - subsidy, outflow + subsidy, turnover + amount(cleared.price)];
      left[buyer] = left[buyer]! - subsidy;
    }
  }

  function settle(day: number, seller: number, buyer: number, delivered: bigint, failed: bigint): void {
    const key = `${seller} ${buyer}`;
    const after = settleSeller(
      sellers[seller]!,
      pairs.get(key) ?? NO_CREDIT,
      { delivered, failed, buyerBond: 1n, day },
      1n,
    );
    sellers[seller] = after.record;
    pairs.set(key, after.pair);
  }
}

function drawn(from: number, count: number, random: Random): number[] {
  const all = Array.from({ length: from }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random() * (from - i));
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all.slice(0, count);
}
