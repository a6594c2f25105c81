/**
 * One mesh's life as facts. Everything here was journaled as a message or read from the chain; every status is derived
 * from it and the clock (`phaseOf`), never stored.
 *
 * | phase      | holds while                                            | moved on by                                    |
 * |------------|--------------------------------------------------------|------------------------------------------------|
 * | scanning   | triggered, peers not yet ranked                        | PeersScanned                                   |
 * | buying     | ranked, no lease runs, the event still needs capacity | AuctionOpened (ours)                           |
 * | trading    | an auction has no outcome yet                          | AuctionCleared, AuctionCancelled               |
 * | forming    | leases of ours granted, none has started               | the earliest start                             |
 * | running    | a lease of ours runs                                   | its end, or a co-signed release                |
 * | dissolving | all leases of ours are over, links are left            | MeshDissolved                                  |
 * | settling   | dissolved, some lease of ours not settled              | LeaseSettled                                   |
 * | over       | nothing is left to do, the event needs nothing more    | nothing                                        |
 *
 * Forbidden: running before a lease was granted on chain; settling before dissolving; anything after over.
 */
import type { Hex } from "viem";
import type { Side } from "../auction/commitment.ts";
import type { FabricChoice } from "../auction/fabric-choice.ts";
import type { AuctionTerms, BookOrder, GrantedLease } from "../auction/facts.ts";
import type { GrantTerms } from "../auction/leases.ts";
import type { CosignedReceipt, Receipt } from "../lease/receipt.ts";
import type { EventKind } from "../model/event.ts";
import type { LeaseId, LinkId, MeshId, RegionId } from "../model/ids.ts";
import { DAY_SECONDS, EPOCH_SECONDS, MIN_TERM_SECONDS } from "../model/market.ts";
import type { RequestedTopology } from "../model/topology-mode.ts";
import type { ScannedPeer } from "../scan/rank.ts";
import type { SignedTopology } from "../topology/signing.ts";
import type { MeasuredPair, Topology } from "../topology/topology.ts";

export interface TriggeredEvent {
  readonly id: string;
  readonly kind: EventKind;
  readonly demandMbps: number;
  readonly durationSeconds: number;
  readonly topology: RequestedTopology;
  /** It lasts until it is resolved: before the term ends, the same capacity is bought again. */
  readonly renews: boolean;
  readonly reason: string;
  readonly requestId: string | null;
  readonly atSeconds: number;
}

/** Our sealed order: journaled with its salt before the commitment is sent. */
export interface PreparedOrder {
  readonly side: Side;
  readonly price: number;
  readonly lots: number;
  readonly boostBps: number;
  readonly bond: bigint;
  readonly salt: Hex;
  readonly commitment: Hex;
  /** Why this price and this many lots; shown by the API. */
  readonly reasons: readonly string[];
}

export interface Auction {
  readonly terms: AuctionTerms;
  readonly orders: readonly BookOrder[];
  readonly order: PreparedOrder | { readonly declined: string } | null;
  readonly outcome:
    | null
    | { readonly cancelled: true }
    | { readonly cancelled: false; readonly lotsTraded: number; readonly price: number; readonly atSeconds: number };
  readonly leases: readonly GrantedLease[];
  /** As emitted, to prove a lease under the root. */
  readonly grant: { readonly terms: GrantTerms; readonly words: readonly bigint[] } | null;
}

export interface AgreedLink {
  readonly linkId: LinkId;
  readonly attempt: number;
  readonly peer: RegionId;
  readonly underlay: string;
  readonly peerEndpoint: { readonly address: string; readonly port: number };
  readonly mtu: number;
  readonly transcript: Hex;
}

export type PublishedTopology = SignedTopology & Topology;

export interface TeardownRecord {
  readonly atSeconds: number;
  readonly links: readonly {
    readonly linkId: LinkId;
    readonly receivedBytes: number;
    readonly sentBytes: number;
    readonly peerSignature: Hex | null;
  }[];
  readonly leftBehind: number;
}

export interface Mesh {
  /** The event's id where this region triggered it, else `mesh-<id>`. */
  readonly key: string;
  readonly id: MeshId | null;
  readonly event: TriggeredEvent | null;
  readonly peers: readonly ScannedPeer[] | null;
  /** On which the newest auction was to be opened, where this region opens them. */
  readonly fabric: FabricChoice | null;
  /** Round trips between the peers, which the opener's agent collects while an auction runs, and in which they were. */
  readonly pairs: { readonly measured: readonly MeasuredPair[]; readonly auctions: number } | null;
  readonly auctions: readonly Auction[];
  readonly topology: PublishedTopology | null;
  readonly links: ReadonlyMap<LinkId, AgreedLink>;
  /** Agreed links whose other end was away for so long that the interface is removed until both agree on another attempt. */
  readonly withdrawn: ReadonlySet<LinkId>;
  /** Leases of ours whose seller could not be reached for long: the event does without them. */
  readonly lost: ReadonlySet<LeaseId>;
  readonly receipts: ReadonlyMap<LeaseId, CosignedReceipt>;
  /** Receipts that this side signed and whose other signature has not come: never a second one for the same epochs. */
  readonly signed: ReadonlyMap<LeaseId, Receipt>;
  readonly settled: ReadonlyMap<
    LeaseId,
    { readonly buyerPays: bigint; readonly sellerGets: bigint; readonly endSeconds: number }
  >;
  /** Reason why the event was abandoned. */
  readonly abandoned: string | null;
  readonly resolved: { readonly reason: string; readonly atSeconds: number } | null;
  readonly dissolved: TeardownRecord | null;
}

export type MeshPhase = "scanning" | "buying" | "trading" | "forming" | "running" | "dissolving" | "settling" | "over";

/** A mesh of which nothing is known but its key. */
export function emptyMesh(key: string): Mesh {
  return {
    key,
    id: null,
    event: null,
    peers: null,
    fabric: null,
    pairs: null,
    auctions: [],
    topology: null,
    links: new Map(),
    withdrawn: new Set(),
    lost: new Set(),
    receipts: new Map(),
    signed: new Map(),
    settled: new Map(),
    abandoned: null,
    resolved: null,
    dissolved: null,
  };
}

/** All granted leases, of every auction. */
export function leasesOf(mesh: Mesh): readonly GrantedLease[] {
  return mesh.auctions.flatMap((auction) => auction.leases);
}

/** The leases in which this region buys or sells. */
export function ownLeases(mesh: Mesh, self: RegionId): readonly GrantedLease[] {
  return leasesOf(mesh).filter((lease) => lease.buyer === self || lease.seller === self);
}

/** A lease's own link has the lease's id. */
export function linkOfLease(leaseId: LeaseId): LinkId {
  return leaseId as string as LinkId;
}

/** Unix second at which a lease ends: its term, or what a co-signed release says. */
export function endOf(mesh: Mesh, lease: GrantedLease): number {
  const receipt = mesh.receipts.get(lease.id)?.receipt;
  if (receipt?.release) return Math.min(lease.endSeconds, lease.startSeconds + receipt.epochs * EPOCH_SECONDS);
  const settled = mesh.settled.get(lease.id);
  return settled ? Math.min(lease.endSeconds, lease.startSeconds + settled.endSeconds) : lease.endSeconds;
}

/** A released lease is over at once, even in the middle of the epoch that its release counts to. */
export function isOver(mesh: Mesh, lease: GrantedLease, nowSeconds: number): boolean {
  return (
    mesh.settled.has(lease.id) ||
    mesh.receipts.get(lease.id)?.receipt.release === true ||
    nowSeconds >= lease.endSeconds
  );
}

/** Not over, or over for less than a day. */
export function isRecent(mesh: Mesh, nowSeconds: number): boolean {
  const last = Math.max(
    mesh.event?.atSeconds ?? 0,
    ...mesh.auctions.map((auction) => auction.terms.openedAtSeconds),
    ...leasesOf(mesh).map((lease) => lease.endSeconds),
  );
  return nowSeconds - last < DAY_SECONDS;
}

/** Whether an auction has no outcome yet. */
export const isTrading = (mesh: Mesh): boolean => mesh.auctions.some((auction) => auction.outcome === null);

/** The phase at a Unix second, by the table above. */
export function phaseOf(mesh: Mesh, self: RegionId, nowSeconds: number): MeshPhase {
  const own = ownLeases(mesh, self);
  const live = own.filter((lease) => !isOver(mesh, lease, nowSeconds));
  if (live.some((lease) => nowSeconds >= lease.startSeconds)) return "running";
  if (live.length > 0) return "forming";
  if (isTrading(mesh)) return "trading";
  if (own.length > 0) {
    if (!mesh.dissolved && mesh.links.size > 0) return "dissolving";
    if (own.some((lease) => !mesh.settled.has(lease.id))) return "settling";
  }
  const minSeconds = mesh.auctions.length > 0 ? MIN_TERM_SECONDS : 0;
  if (neededUntilSeconds(mesh, self) < nowSeconds + minSeconds) return "over";
  if (!mesh.event || mesh.abandoned || mesh.resolved) return "over";
  return mesh.peers ? "buying" : "scanning";
}

/** The second until which the event needs capacity: counted from its first lease, or from the trigger; 0: no more. */
export function neededUntilSeconds(mesh: Mesh, self: RegionId): number {
  const { event } = mesh;
  if (!event || mesh.abandoned || mesh.resolved) return 0;
  if (event.renews) return Number.POSITIVE_INFINITY;
  const starts = ownLeases(mesh, self).flatMap((lease) => (lease.buyer === self ? lease.startSeconds : []));
  return (starts.length > 0 ? Math.min(...starts) : event.atSeconds) + event.durationSeconds;
}
