/** Leases as the auction grants them: one 256-bit word each, under a Merkle root. Makes, packs, unpacks and proves them. */
import { concat, encodeAbiParameters, type Hex, keccak256, pad, toHex } from "viem";
import type { RevealedOrder } from "./clearing.ts";

/** Terms that all leases of an auction share. */
export interface GrantTerms {
  /** Unix time. */
  readonly startSeconds: number;
  readonly slots: number;
  readonly lotMbps: number;
  /** P, price units per lot and slot. */
  readonly price: number;
  /** Week in which the auction was opened, as `weekOf` counts. */
  readonly week: number;
}

/** The struct that the escrow's `settle` and `claim` take. */
export interface LeaseTuple {
  readonly auctionId: number;
  readonly index: number;
  readonly seller: number;
  readonly buyer: number;
  readonly lots: number;
  /** c: lots of the same ask in earlier leases. */
  readonly before: number;
  /** u and r, price units per lot and slot. */
  readonly buyerPrice: number;
  readonly sellerPrice: number;
  readonly bondShare: bigint;
  /** Indices of the orders. */
  readonly bid: number;
  readonly ask: number;
  /** Whether the agent's key, not the treasury's, sent the order. */
  readonly sellerByAgent: boolean;
  readonly buyerByAgent: boolean;
  readonly start: number;
  readonly slots: number;
  readonly lotMbps: number;
  readonly price: number;
  readonly week: number;
}

/** Lots that one ask leases to one bid. */
export interface Overlap {
  readonly ask: number;
  readonly bid: number;
  readonly lots: number;
  readonly before: number;
}

/** Matches filled bids and asks in commit order; at most bids + asks − 1 overlaps. */
export function overlapsOf(
  orders: readonly Pick<RevealedOrder, "index" | "side">[],
  fills: ReadonlyMap<number, number>,
): Overlap[] {
  const inCommitOrder = [...orders]
    .sort((a, b) => a.index - b.index)
    .filter(({ index }) => (fills.get(index) ?? 0) > 0);
  const bids = inCommitOrder.filter(({ side }) => side === "bid");
  const asks = inCommitOrder.filter(({ side }) => side === "ask");
  const overlaps: Overlap[] = [];
  let [b, a, taken, before] = [0, 0, 0, 0];
  while (b < bids.length && a < asks.length) {
    const [bid, ask] = [bids[b]!.index, asks[a]!.index];
    const lots = Math.min(fills.get(bid)! - taken, fills.get(ask)! - before);
    overlaps.push({ ask, bid, lots, before });
    taken += lots;
    before += lots;
    if (taken === fills.get(bid)) [b, taken] = [b + 1, 0];
    if (before === fills.get(ask)) [a, before] = [a + 1, 0];
  }
  return overlaps;
}

/** The part of an ask's bond that backs a lease; the parts of all its leases add up to ⌊bond · filled / lots⌋. */
export function bondShareDown(bond: bigint, askLots: number, before: number, lots: number): bigint {
  return (bond * BigInt(before + lots)) / BigInt(askLots) - (bond * BigInt(before)) / BigInt(askLots);
}

/** As LeaseEscrow computes it. */
export function leaseIdOf(auctionId: number, index: number): Hex {
  return keccak256(encodeAbiParameters([{ type: "uint32" }, { type: "uint256" }], [auctionId, BigInt(index)]));
}

/** Fields of a lease's word with their bits, from the lowest bit. */
const WORD = [
  ["bid", 9n],
  ["ask", 9n],
  ["sellerByAgent", 1n],
  ["buyerByAgent", 1n],
  ["bondShare", 64n],
  ["sellerPrice", 32n],
  ["buyerPrice", 32n],
  ["before", 20n],
  ["lots", 20n],
  ["buyer", 32n],
  ["seller", 32n],
] as const;

/** Lease `index` of a `LeasesGranted` event. */
export function unpackLease(auctionId: number, index: number, word: bigint, terms: GrantTerms): LeaseTuple {
  const fields = new Map<string, bigint>();
  let rest = word;
  for (const [name, bits] of WORD) {
    fields.set(name, rest & ((1n << bits) - 1n));
    rest >>= bits;
  }
  const number = (name: (typeof WORD)[number][0]) => Number(fields.get(name));
  return {
    auctionId,
    index,
    seller: number("seller"),
    buyer: number("buyer"),
    lots: number("lots"),
    before: number("before"),
    buyerPrice: number("buyerPrice"),
    sellerPrice: number("sellerPrice"),
    bondShare: fields.get("bondShare")!,
    bid: number("bid"),
    ask: number("ask"),
    sellerByAgent: fields.get("sellerByAgent") === 1n,
    buyerByAgent: fields.get("buyerByAgent") === 1n,
    ...tupleTerms(terms),
  };
}

/** The 256-bit word of a lease, as CapacityAuction computes it. */
export function packLease(lease: LeaseTuple): bigint {
  let word = 0n;
  for (const [name, bits] of [...WORD].reverse()) word = (word << bits) | BigInt(lease[name]);
  return word;
}

/** Merkle root over the words of an auction; 0 if there are none. */
export function leaseRoot(words: readonly bigint[], terms: GrantTerms): Hex {
  const top = treeOf(words, terms).at(-1);
  return top?.[0] ?? pad("0x0", { size: 32 });
}

/** Merkle proof of lease `index`: the siblings from its leaf up. */
export function leaseProof(words: readonly bigint[], terms: GrantTerms, index: number): Hex[] {
  const proof: Hex[] = [];
  let at = index;
  for (const level of treeOf(words, terms).slice(0, -1)) {
    const sibling = level[at ^ 1];
    if (sibling !== undefined) proof.push(sibling);
    at >>= 1;
  }
  return proof;
}

/** Leaf of the Merkle tree: the hash of a lease's index, terms and word. */
export function leaseLeaf(index: number, terms: GrantTerms, word: bigint): Hex {
  return keccak256(concat([word32(BigInt(index)), word32(packTerms(terms)), word32(word)]));
}

/** Levels from the leaves to the root; each pair is hashed in sorted order, a node without a sibling moves up. */
function treeOf(words: readonly bigint[], terms: GrantTerms): Hex[][] {
  const levels: Hex[][] = [words.map((word, index) => leaseLeaf(index, terms, word))];
  for (let level = levels[0]!; level.length > 1; ) {
    const next: Hex[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = [level[i]!, level[i + 1]];
      next.push(right === undefined ? left : keccak256(concat(left < right ? [left, right] : [right, left])));
    }
    levels.push(next);
    level = next;
  }
  return levels;
}

function packTerms(terms: GrantTerms): bigint {
  const { startSeconds, slots, lotMbps, price, week } = terms;
  return (
    (BigInt(startSeconds) << 88n) |
    (BigInt(slots) << 72n) |
    (BigInt(lotMbps) << 48n) |
    (BigInt(price) << 16n) |
    BigInt(week)
  );
}

function tupleTerms({ startSeconds, slots, lotMbps, price, week }: GrantTerms) {
  return { start: startSeconds, slots, lotMbps, price, week };
}

function word32(value: bigint): Hex {
  return toHex(value, { size: 32 });
}
