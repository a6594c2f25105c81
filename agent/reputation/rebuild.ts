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

/** The state as far as events were applied, in the order of the chain: one settlement costs the same however many there were. */
export class Rebuild {
  readonly sellers: Map<number, SellerRecord>;
  readonly pairs: Map<string, Credit>;
  readonly #fullBond: bigint;

  constructor(fullBond: bigint, from?: Pick<RebuiltState, "sellers" | "pairs">) {
    this.#fullBond = fullBond;
    this.sellers = new Map(from?.sellers);
    this.pairs = new Map(from?.pairs);
  }

  /** Always the rule's own result is carried on, never what an event claims. @returns where the two differ. */
  apply(event: LeaseRecorded): Deviation[] {
    const { seller, buyer, leaseId, day } = event;
    const age = Math.max(0, day - event.endDay);
    const lease = {
      delivered: decay(event.delivered, age),
      failed: decay(event.failed, age),
      buyerBond: event.buyerBond,
      day,
    };
    const key = pairKey(seller, buyer);
    const { record, pair } = settleSeller(
      this.sellers.get(seller) ?? NEWCOMER,
      this.pairs.get(key) ?? NO_CREDIT,
      lease,
      this.#fullBond,
    );
    this.sellers.set(seller, record);
    this.pairs.set(key, pair);
    const about = { leaseId, region: seller };
    return [
      { ...about, what: "seller", expected: record.current, found: event.sellerState } as const,
      { ...about, what: "pair", expected: pair, found: event.pairState } as const,
    ].filter(({ expected, found }) => !sameCredit(expected, found));
  }
}

export function rebuildReputation(events: Iterable<LeaseRecorded>, fullBond: bigint): RebuiltState {
  const rebuild = new Rebuild(fullBond);
  const deviations = [...events].flatMap((event) => rebuild.apply(event));
  return { sellers: rebuild.sellers, pairs: rebuild.pairs, deviations };
}

export function sameCredit(a: Credit, b: Credit): boolean {
  return a.delivered === b.delivered && a.failed === b.failed && a.day === b.day;
}
