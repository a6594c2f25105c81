/** From the contract's events alone to every region's state: what an auditor compares with the chain. */
import type { Hex } from "viem";
import { type Credit, decay, NEWCOMER, NO_CREDIT, type SellerRecord, settleSeller } from "./rule.ts";

/** The arguments of `LeaseRecorded`: what the rule read, and what the contract says that it wrote. */
export interface LeaseRecorded {
  readonly seller: number;
  readonly buyer: number;
  readonly leaseId: Hex;
  readonly delivered: bigint;
  readonly failed: bigint;
  readonly buyerBond: bigint;
  readonly endDay: number;
  readonly day: number;
  readonly sellerState: Credit;
  readonly pairState: Credit;
}

export interface RebuiltState {
  readonly sellers: ReadonlyMap<number, SellerRecord>;
  /** By `pairKey`. */
  readonly pairs: ReadonlyMap<string, Credit>;
  /** Settlements whose written state is not what the rule gives: an honest contract has none. */
  readonly deviations: readonly Deviation[];
}

export interface Deviation {
  readonly leaseId: Hex;
  readonly what: "seller" | "pair";
  readonly region: number;
  readonly expected: Credit;
  readonly found: Credit;
}

export function pairKey(seller: number, buyer: number): string {
  return `${seller}:${buyer}`;
}

/** Events in the order of the chain. Always the rule's own result is carried on, never what an event claims. */
export function rebuildReputation(events: Iterable<LeaseRecorded>, fullBond: bigint): RebuiltState {
  const sellers = new Map<number, SellerRecord>();
  const pairs = new Map<string, Credit>();
  const deviations: Deviation[] = [];
  for (const event of events) {
    const { seller, buyer, leaseId, day } = event;
    const age = Math.max(0, day - event.endDay);
    const lease = {
      delivered: decay(event.delivered, age),
      failed: decay(event.failed, age),
      buyerBond: event.buyerBond,
      day,
    };
    const key = pairKey(seller, buyer);
    const after = settleSeller(sellers.get(seller) ?? NEWCOMER, pairs.get(key) ?? NO_CREDIT, lease, fullBond);
    sellers.set(seller, after.record);
    pairs.set(key, after.pair);
    if (!sameCredit(after.record.current, event.sellerState))
      deviations.push({
        leaseId,
        what: "seller",
        region: seller,
        expected: after.record.current,
        found: event.sellerState,
      });
    if (!sameCredit(after.pair, event.pairState))
      deviations.push({ leaseId, what: "pair", region: seller, expected: after.pair, found: event.pairState });
  }
  return { sellers, pairs, deviations };
}

export function sameCredit(a: Credit, b: Credit): boolean {
  return a.delivered === b.delivered && a.failed === b.failed && a.day === b.day;
}
