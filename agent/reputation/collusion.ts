/**
 * Hints at collusion, for a person to look at; no part of the rule, since honest neighbours trade both ways, too. Credit
 * is mutual if each of two regions holds credit from the other; a clique is a group in which every pair is mutual.
 */
import { type Credit, decay } from "./rule.ts";

export interface CollusionFigures {
  /** Micro-units of delivered credit, decayed to the day asked for. */
  readonly credit: bigint;
  /** Parts per million of `credit` from buyers that hold credit from this seller. */
  readonly mutualPpm: number;
  /** The regions of the largest clique with this seller that a greedy search finds; empty if it has less than three. */
  readonly clique: readonly number[];
  /** Parts per million of `credit` from that clique. */
  readonly cliquePpm: number;
}

/** @param pairs by `pairKey`. @param day days since 1970. @returns figures by seller. */
export function collusionFigures(pairs: ReadonlyMap<string, Credit>, day: number): Map<number, CollusionFigures> {
  const credit = creditBySeller(pairs, day);
  const from = (seller: number, buyer: number) => credit.get(seller)?.get(buyer) ?? 0n;
  return new Map(
    [...credit].map(([seller, buyers]) => {
      const total = sum(buyers.values());
      const mutual = [...buyers.keys()].filter((buyer) => from(buyer, seller) > 0n);
      const clique = greedyClique(seller, mutual, from);
      const share = (of: readonly number[]) =>
        total === 0n ? 0 : Number((1_000_000n * sum(of.map((buyer) => from(seller, buyer)))) / total);
      return [seller, { credit: total, mutualPpm: share(mutual), clique, cliquePpm: share(clique) }];
    }),
  );
}

/** Adds partners in order of their credit, the largest first. */
function greedyClique(
  seller: number,
  partners: readonly number[],
  from: (seller: number, buyer: number) => bigint,
): readonly number[] {
  const members = [seller];
  const strongest = [...partners].sort((a, b) => Number(from(seller, b) - from(seller, a)) || a - b);
  for (const candidate of strongest)
    if (members.every((member) => from(member, candidate) > 0n && from(candidate, member) > 0n))
      members.push(candidate);
  return members.length < 3 ? [] : members.sort((a, b) => a - b);
}

function creditBySeller(pairs: ReadonlyMap<string, Credit>, day: number): Map<number, Map<number, bigint>> {
  const credit = new Map<number, Map<number, bigint>>();
  for (const [key, pair] of pairs) {
    const [seller, buyer] = key.split(":").map(Number) as [number, number];
    const held = decay(pair.delivered, day - pair.day);
    if (held === 0n) continue;
    const buyers = credit.get(seller) ?? new Map<number, bigint>();
    credit.set(seller, buyers.set(buyer, held));
  }
  return credit;
}

function sum(values: Iterable<bigint>): bigint {
  let total = 0n;
  for (const value of values) total += value;
  return total;
}
