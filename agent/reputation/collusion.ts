/**
 * What a score does not show: how much of a seller's credit comes from buyers that it sold nothing but favours to. Credit
 * is mutual where each of two regions holds credit from the other; a clique is a group in which every pair is mutual.
 * Honest neighbours trade both ways too: these figures are for a person to look at, never part of the rule.
 */
import { type Credit, decay } from "./rule.ts";

export interface CollusionFigures {
  /** Micro-units of delivered credit today. */
  readonly credit: bigint;
  /** Millionths of it from buyers that hold credit from this seller. */
  readonly mutualPpm: number;
  /** Regions of the largest group of mutual pairs around this seller that a greedy search finds, itself among them. */
  readonly clique: readonly number[];
  /** Millionths of its credit from that group. */
  readonly cliquePpm: number;
}

/** By seller. Pairs by `pairKey`. */
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

/** Takes in the partners with the most credit first; a pair alone is no clique. */
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
