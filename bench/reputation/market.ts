/**
 * Sixty days of a market with a hundred leases a day. The real market rule clears each among randomly drawn sellers, whose
 * asks have the handicap of yesterday's score. Then the seller delivers as well as it serves that buyer.
 */
import { clearBook, handicapOf, type RevealedOrder } from "../../agent/auction/clearing.ts";
import type { Rule, Settled } from "./rules.ts";

export interface Trader {
  /** Part of a lease that this buyer gets on a day; `score` is the seller's own. */
  readonly quality: (buyer: number, day: number, score: number) => number;
  /** Ask, relative to the mean ask of the others. */
  readonly ask?: number;
  readonly joins?: number;
  /** Does not sell; it only reports on others. */
  readonly idle?: boolean;
  readonly bond?: number;
  /** As a buyer: reports a lease as broken off at its start. */
  readonly slanders?: boolean;
}

export interface Day {
  readonly day: number;
  /** At the beginning of the day. */
  readonly scores: readonly number[];
  readonly leases: readonly Settled[];
}

export const DAYS = 60;
export const LEASES_A_DAY = 100;
const ASKS = 12;
/** Leases that a region can serve in a day. */
const CAPACITY = 4;
const PRICE = 1_000;
const PRICE_SPREAD = 0.2;
const NOISE = 0.05;
/** REPUTATION.md, section 3: what a break at the start of an hour's lease counts as failed. */
const BROKEN = 387 / 3_600;

export function market(
  rule: Rule,
  traders: readonly Trader[],
  random: () => number,
  extra: (day: number, scores: readonly number[]) => readonly Settled[] = () => [],
): Day[] {
  return Array.from({ length: DAYS }, (_, day) => {
    const scores = rule.scores(traders.length, day);
    const active = [...traders.keys()].filter((id) => !traders[id]!.idle && day >= (traders[id]!.joins ?? 0));
    const sold = new Map<number, number>();
    const leases: Settled[] = [];
    for (let n = 0; n < LEASES_A_DAY; n++) {
      const buyer = active[Math.floor(random() * active.length)]!;
      const seller = cleared(drawn(active, buyer, sold, random), traders, scores, random);
      sold.set(seller, (sold.get(seller) ?? 0) + 1);
      leases.push(served(traders, { seller, buyer, day, score: scores[seller]! }, random));
    }
    const all = [...leases, ...extra(day, scores)];
    for (const lease of all) rule.settle(lease);
    return { day, scores, leases };
  });
}

/** mulberry32: one seed gives the same market. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function drawn(active: readonly number[], buyer: number, sold: ReadonlyMap<number, number>, random: () => number) {
  const asking = new Set<number>();
  for (let tries = 0; asking.size < ASKS && tries < 20 * ASKS; tries++) {
    const id = active[Math.floor(random() * active.length)]!;
    if (id !== buyer && (sold.get(id) ?? 0) < CAPACITY) asking.add(id);
  }
  return [...asking];
}

function cleared(
  sellers: readonly number[],
  traders: readonly Trader[],
  scores: readonly number[],
  random: () => number,
): number {
  const asks = sellers.map((id, i): RevealedOrder => {
    const score = Math.floor(1_000 * scores[id]!);
    const price = Math.round(PRICE * (traders[id]!.ask ?? 1) * (1 + PRICE_SPREAD * (2 * random() - 1)));
    return { index: i + 1, side: "ask", price, lots: 1, score, bps: handicapOf(score) };
  });
  const bid: RevealedOrder = { index: 0, side: "bid", price: 5 * PRICE, lots: 1, score: 0, bps: 0 };
  const { fills } = clearBook([bid, ...asks], 5 * PRICE)!;
  return sellers[asks.find(({ index }) => fills.has(index))!.index - 1]!;
}

function served(
  traders: readonly Trader[],
  { seller, buyer, day, score }: { seller: number; buyer: number; day: number; score: number },
  random: () => number,
): Settled {
  const about = { seller, buyer, day, bond: traders[buyer]!.bond ?? 1 };
  if (traders[buyer]!.slanders) return { ...about, delivered: 0, failed: BROKEN };
  const quality = traders[seller]!.quality(buyer, day, score) + NOISE * (random() + random() - 1);
  const delivered = Math.min(1, Math.max(0, quality));
  return { ...about, delivered, failed: 1 - delivered };
}
