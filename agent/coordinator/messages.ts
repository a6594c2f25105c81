/** What can happen to a mesh, and that the region drains. Those marked (chain) come from events, with their block; the others are written before they are acted on. */
import type { Hex } from "viem";
import type { Side } from "../auction/commitment.ts";
import type { GrantTerms } from "../auction/leases.ts";
import type { CosignedReceipt, Receipt } from "../lease/receipt.ts";
import type { AuctionId, LeaseId, LinkId, MeshId, RegionId } from "../model/ids.ts";
import type { ScannedPeer } from "../scan/rank.ts";
import type { MeasuredPair } from "../topology/topology.ts";
import type {
  AgreedLink,
  AuctionTerms,
  GrantedLease,
  PreparedOrder,
  PublishedTopology,
  TeardownRecord,
  TriggeredEvent,
} from "./mesh.ts";

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

export type LocalMessage =
  | { readonly type: "Draining"; readonly draining: boolean }
  | { readonly type: "EventTriggered"; readonly event: TriggeredEvent }
  | { readonly type: "PeersScanned"; readonly mesh: string; readonly peers: readonly ScannedPeer[] }
  | {
      readonly type: "PairsMeasured";
      readonly mesh: string;
      readonly pairs: readonly MeasuredPair[];
      readonly auctions: number;
    }
  | { readonly type: "EventAbandoned"; readonly mesh: string; readonly reason: string }
  | { readonly type: "EventResolved"; readonly mesh: string; readonly reason: string; readonly atSeconds: number }
  | { readonly type: "OrderPrepared"; readonly auctionId: AuctionId; readonly order: PreparedOrder }
  | { readonly type: "OrderDeclined"; readonly auctionId: AuctionId; readonly reason: string }
  | { readonly type: "TopologyPublished"; readonly meshId: MeshId; readonly topology: PublishedTopology }
  | { readonly type: "LinkAgreed"; readonly meshId: MeshId; readonly link: AgreedLink }
  | { readonly type: "PeerLost"; readonly meshId: MeshId; readonly leaseId: LeaseId; readonly reason: string }
  | { readonly type: "ReceiptSigned"; readonly meshId: MeshId; readonly receipt: Receipt }
  | { readonly type: "ReceiptCosigned"; readonly meshId: MeshId; readonly cosigned: CosignedReceipt }
  | { readonly type: "TeardownCosigned"; readonly meshId: MeshId; readonly linkId: LinkId; readonly peerSignature: Hex }
  | { readonly type: "MeshDissolved"; readonly meshId: MeshId; readonly record: TeardownRecord };

export type Message = ChainMessage | LocalMessage;
