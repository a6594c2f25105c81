/** What the chain says about auctions, orders and leases: the decoded terms and events. Types only. */
import type { EventKind } from "../model/event.ts";
import type { AuctionId, LeaseId, MeshId, RegionId } from "../model/ids.ts";
import type { Place } from "../model/region.ts";
import type { Side } from "./commitment.ts";
import type { GrantTerms } from "./leases.ts";

export interface AuctionTerms {
  readonly id: AuctionId;
  readonly mesh: MeshId;
  readonly opener: RegionId;
  readonly kind: EventKind;
  readonly fabric: string;
  readonly place: Place;
  /** Of the cell's radius at the earth's centre, scaled by 10^9. */
  readonly cosine: number;
  readonly attributes: number;
  readonly latencyBoundMicros: number;
  readonly lotMbps: number;
  readonly slots: number;
  readonly earliestStartSeconds: number;
  readonly priceCap: number;
  readonly openBlock: number;
  readonly openedAtSeconds: number;
  readonly phaseBlocks: number;
}

export interface BookOrder {
  readonly index: number;
  readonly regionId: RegionId;
  readonly side: Side;
  readonly bond: bigint;
  readonly score: number;
  readonly revealed: { readonly price: number; readonly lots: number; readonly bps: number } | null;
  readonly collected: { readonly lots: number } | null;
}

export interface GrantedLease {
  readonly id: LeaseId;
  readonly index: number;
  readonly seller: RegionId;
  readonly buyer: RegionId;
  readonly lots: number;
  readonly mbps: number;
  readonly startSeconds: number;
  readonly endSeconds: number;
}

/** One event of the contracts that a mesh depends on, in the order of the chain. */
export type ChainMessage =
  /** `eventId`: the event of ours whose journaled opening transaction this is. */
  | { readonly type: "AuctionOpened"; readonly terms: AuctionTerms; readonly eventId: string | null }
  | {
      readonly type: "OrderCommitted";
      readonly auctionId: AuctionId;
      readonly regionId: RegionId;
      readonly index: number;
      readonly side: Side;
      readonly bond: bigint;
      readonly score: number;
    }
  | {
      readonly type: "OrderRevealed";
      readonly auctionId: AuctionId;
      readonly index: number;
      readonly price: number;
      readonly lots: number;
      readonly bps: number;
    }
  | {
      readonly type: "AuctionCleared";
      readonly auctionId: AuctionId;
      readonly lotsTraded: number;
      readonly scaledPrice: bigint;
      readonly atSeconds: number;
    }
  | {
      readonly type: "LeasesGranted";
      readonly auctionId: AuctionId;
      readonly terms: GrantTerms;
      readonly words: readonly bigint[];
      readonly leases: readonly GrantedLease[];
    }
  | { readonly type: "AuctionCancelled"; readonly auctionId: AuctionId }
  | { readonly type: "OrderCollected"; readonly auctionId: AuctionId; readonly index: number; readonly lots: number }
  | {
      readonly type: "LeaseSettled";
      readonly auctionId: AuctionId;
      readonly leaseId: LeaseId;
      readonly buyerPays: bigint;
      readonly sellerGets: bigint;
      readonly endSeconds: number;
    };
