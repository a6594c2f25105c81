/** What can happen to a mesh, and that the region drains. Those marked (chain) come from events, with their block; the others are written before they are acted on. */
import type { Hex } from "viem";
import type { FabricChoice } from "../auction/fabric-choice.ts";
import type { ChainMessage } from "../auction/facts.ts";
import type { CosignedReceipt, Receipt } from "../lease/receipt.ts";
import type { AuctionId, LeaseId, LinkId, MeshId } from "../model/ids.ts";
import type { ScannedPeer } from "../scan/rank.ts";
import type { MeasuredPair } from "../topology/topology.ts";
import type { AgreedLink, PreparedOrder, PublishedTopology, TeardownRecord, TriggeredEvent } from "./mesh.ts";

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
  | { readonly type: "FabricChosen"; readonly mesh: string; readonly fabric: FabricChoice }
  | { readonly type: "EventAbandoned"; readonly mesh: string; readonly reason: string }
  | { readonly type: "EventResolved"; readonly mesh: string; readonly reason: string; readonly atSeconds: number }
  | { readonly type: "OrderPrepared"; readonly auctionId: AuctionId; readonly order: PreparedOrder }
  | { readonly type: "OrderDeclined"; readonly auctionId: AuctionId; readonly reason: string }
  | { readonly type: "TopologyPublished"; readonly meshId: MeshId; readonly topology: PublishedTopology }
  | { readonly type: "LinkAgreed"; readonly meshId: MeshId; readonly link: AgreedLink }
  | { readonly type: "PeerLost"; readonly meshId: MeshId; readonly leaseId: LeaseId; readonly reason: string }
  | { readonly type: "PeerReturned"; readonly meshId: MeshId; readonly leaseId: LeaseId }
  | { readonly type: "LinkWithdrawn"; readonly meshId: MeshId; readonly linkId: LinkId }
  | { readonly type: "ReceiptSigned"; readonly meshId: MeshId; readonly receipt: Receipt }
  | { readonly type: "ReceiptCosigned"; readonly meshId: MeshId; readonly cosigned: CosignedReceipt }
  | { readonly type: "TeardownCosigned"; readonly meshId: MeshId; readonly linkId: LinkId; readonly peerSignature: Hex }
  | { readonly type: "MeshDissolved"; readonly meshId: MeshId; readonly record: TeardownRecord };

export type Message = ChainMessage | LocalMessage;
