/** Every region's reputation, computed from the contract's events alone, for comparison with what the contract stores. */
import type { Hex } from "viem";
import { type Credit, decay, NEWCOMER, NO_CREDIT, type SellerRecord, settleSeller } from "./rule.ts";

/** The arguments of the event `LeaseRecorded`: what the rule read, and the state that the contract wrote. */
export interface LeaseRecorded {
  readonly seller: number;
  readonly buyer: number;
  readonly leaseId: Hex;
  /** Micro-units of a reference lease, before decay. */
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
  /** Settlements whose event does not state what the rule gives; an honest contract has none. */
  readonly mismatches: readonly StateMismatch[];
}

export interface StateMismatch {
  readonly leaseId: Hex;
  readonly what: "seller" | "pair";
  readonly region: number;
  readonly expected: Credit;
  readonly found: Credit;
}

/** Key of the pair's credit in `RebuiltState.pairs`. */
export function pairKey(seller: number, buyer: number): string {
  return `${seller}:${buyer}`;
}

/** The state after the events applied so far, in chain order. */
export class RebuiltReputation {
  readonly sellers: Map<number, SellerRecord>;
  readonly pairs: Map<string, Credit>;
  readonly #fullBond: bigint;

  constructor(fullBond: bigint, from?: Pick<RebuiltState, "sellers" | "pairs">) {
    this.#fullBond = fullBond;
    this.sellers = new Map(from?.sellers);
    this.pairs = new Map(from?.pairs);
  }

  /** Applies the rule and ignores the state that the event claims. @returns where the two differ. */
  apply(event: LeaseRecorded): StateMismatch[] {
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

/** Applies all events, in chain order. @param fullBond price units; a smaller buyer's bond earns less credit */
export function rebuildReputation(events: Iterable<LeaseRecorded>, fullBond: bigint): RebuiltState {
  const rebuilt = new RebuiltReputation(fullBond);
  const mismatches = [...events].flatMap((event) => rebuilt.apply(event));
  return { sellers: rebuilt.sellers, pairs: rebuilt.pairs, mismatches };
}

/** Whether amounts and day are equal. */
export function sameCredit(a: Credit, b: Credit): boolean {
  return a.delivered === b.delivered && a.failed === b.failed && a.day === b.day;
}
