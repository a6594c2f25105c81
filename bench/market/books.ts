/** Traders with their true values: drawn evenly, or from list prices and surges of real data. One seed gives the same books. */
import { readFileSync } from "node:fs";
import { handicapOf, maxBoost } from "../../agent/auction/clearing.ts";
import type { Order } from "./rules.ts";

export type Random = () => number;

/** Mulberry32: 32 bits of state are enough for books. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Half of the traders buy, half sell; values evenly within 1..10,000, one to four lots. */
export function evenBook(traders: number, random: Random): Order[] {
  return Array.from({ length: traders }, (_, i) => ({
    side: i % 2 === 0 ? "bid" : "ask",
    price: 1 + Math.floor(random() * 10_000),
    lots: 1 + Math.floor(random() * 4),
    score: 0,
    bps: 0,
  }));
}

/** The value of a lot to a buyer is its region's price of internet traffic; a seller's cost is a transfer between regions. */
export function dataBook(traders: number, random: Random): Order[] {
  const { egress, transfers, surges } = data();
  const pick = (list: readonly number[]) => list[Math.floor(random() * list.length)]!;
  return Array.from({ length: traders }, (_, i) =>
    i % 2 === 0
      ? { side: "bid", price: dollars(pick(egress), random), lots: pick(surges), score: 0, bps: 0 }
      : { side: "ask", price: dollars(pick(transfers), random), lots: 1 + Math.floor(random() * 4), score: 0, bps: 0 },
  );
}

/** Scores spread evenly over the scale, boosts as the score allows up to `most`; without scores there are no boosts. */
export function withScores(orders: readonly Order[], most: number, random: Random): Order[] {
  return orders.map((order) => {
    const score = Math.floor(random() * 1001);
    return {
      ...order,
      score,
      bps: order.side === "ask" ? handicapOf(score) : Math.floor(Math.min(maxBoost(score), most) * random()),
    };
  });
}

interface Data {
  readonly egress: readonly number[];
  readonly transfers: readonly number[];
  readonly surges: readonly number[];
}

let cached: Data | undefined;

function data(): Data {
  cached ??= read();
  return cached;
}

function read(): Data {
  const rows = (name: string) =>
    readFileSync(new URL(`../data/${name}`, import.meta.url), "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(","));
  const prices = rows("aws_transfer_usd_per_gb.csv");
  const usd = (internet: boolean) =>
    prices.filter(([, to]) => (to === "internet") === internet).map(([, , cost]) => Number(cost));
  const surges = rows("world_cup_peaks.csv").map(([, ratio]) =>
    Math.max(1, Math.min(12, Math.round(Number(ratio) / 4))),
  );
  return { egress: usd(true), transfers: usd(false), surges };
}

/** USD per GB in units of 10^-5, varied by up to a tenth, because list prices are the same for whole continents. */
function dollars(usd: number, random: Random): number {
  return Math.max(1, Math.round(usd * 1e5 * (0.9 + 0.2 * random())));
}
