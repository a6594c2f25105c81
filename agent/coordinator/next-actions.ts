/** What must happen now, as data: state + facts + time → actions. No clock, no I/O: block, second and measurements are facts. */
import type { Side } from "../auction/commitment.ts";
import type { GrantedLease } from "../auction/facts.ts";
import { backoff } from "../model/backoff.ts";
import type { AuctionId, LeaseId, LinkId, RegionId } from "../model/ids.ts";
import { EPOCH_SECONDS, GRACE_SECONDS, PROBE_LOST_SECONDS } from "../model/market.ts";
import { type WantedLink, wantedLinks } from "./links.ts";
import { type Auction, endOf, isOver, leasesOf, linkOfLease, type Mesh, ownLeases, phaseOf } from "./mesh.ts";
import {
  earliestPublishSeconds,
  grantedAuctions,
  openerDeadlineSeconds,
  participantsOf,
  validTopology,
} from "./publication.ts";
import { mayOpen, type Shortfall, shortfallOf } from "./shortfall.ts";

export type Action =
  | { readonly kind: "scan" }
  | { readonly kind: "open-auction"; readonly shortfall: Shortfall }
  | { readonly kind: "prepare-order"; readonly auctionId: AuctionId; readonly side: Side }
  | { readonly kind: "commit-order"; readonly auctionId: AuctionId }
  | { readonly kind: "reveal-order"; readonly auctionId: AuctionId; readonly index: number }
  | { readonly kind: "clear-auction"; readonly auctionId: AuctionId }
  | { readonly kind: "cancel-auction"; readonly auctionId: AuctionId }
  | { readonly kind: "collect-order"; readonly auctionId: AuctionId; readonly index: number }
  | { readonly kind: "measure-pairs" }
  | { readonly kind: "publish-topology" }
  | { readonly kind: "fetch-topology"; readonly from: readonly RegionId[] }
  | { readonly kind: "compare-topology"; readonly with: RegionId }
  | { readonly kind: "declare-lost"; readonly leaseId: LeaseId; readonly reason: string }
  | { readonly kind: "declare-returned"; readonly leaseId: LeaseId }
  | { readonly kind: "withdraw-link"; readonly linkId: LinkId }
  | { readonly kind: "offer-link"; readonly link: WantedLink; readonly attempt: number }
  | { readonly kind: "exchange-receipt"; readonly leaseId: LeaseId; readonly epochs: number; readonly release: boolean }
  | { readonly kind: "settle-lease"; readonly leaseId: LeaseId }
  | { readonly kind: "dissolve" }
  | { readonly kind: "cosign-teardown"; readonly linkId: LinkId; readonly peer: RegionId };

export interface LinkState {
  readonly attempt: number;
  readonly state: "waiting" | "up" | "down";
  readonly forMillis: number;
}

export interface MeshFacts {
  readonly self: RegionId;
  /** Up to which events are known: the head less the finality depth. */
  readonly blockNumber: number;
  /** What is sent now is in the block after this one at the earliest. */
  readonly headNumber: number;
  readonly nowSeconds: number;
  readonly chainReachable: boolean;
  readonly clearBlocks: number;
  /** From when an auction is opened to the start of its leases. */
  readonly leadSeconds: number;
  /** No new event, auction or order is begun. */
  readonly draining: boolean;
  readonly sells: boolean;
  readonly links: ReadonlyMap<LinkId, LinkState>;
}

/** A link without an answer from its other end is tried again with new keys after this time, doubled at each attempt. */
const RETRY_LINK_MILLIS = 5000;
export const RETRY_LOST_MILLIS = 30_000;
/** An epoch counts when its last probes can no longer come back; a receipt asked for earlier is refused with "not yet". */
const RECEIPT_DELAY_SECONDS = PROBE_LOST_SECONDS + 0.1;
/** The seller leaves the buyer this long to settle first. */
const SETTLE_STAGGER_SECONDS = 15;
const TEARDOWN_TRIES_SECONDS = 30;

/** What this region must do for a mesh now; empty: nothing. Pure: the runner tells what is under way already. */
export function nextActions(mesh: Mesh, facts: MeshFacts): readonly Action[] {
  if (phaseOf(mesh, facts.self, facts.nowSeconds) === "over" && mesh.auctions.every((a) => a.outcome !== null))
    return teardowns(mesh, facts);
  return [
    ...beforeTrade(mesh, facts),
    ...mesh.auctions.flatMap((auction) => trade(mesh, auction, facts)),
    ...formation(mesh, facts),
    ...metering(mesh, facts),
    ...ending(mesh, facts),
  ];
}

/** One action of a kind and object at a time; the coordinator backs off by this key. */
export function keyOfAction(mesh: Mesh, action: Action): string {
  switch (action.kind) {
    case "offer-link":
      return `${mesh.key}:offer:${action.link.linkId}`;
    case "exchange-receipt":
    case "settle-lease":
    case "declare-lost":
    case "declare-returned":
      return `${mesh.key}:${action.kind}:${action.leaseId}`;
    case "withdraw-link":
      return `${mesh.key}:${action.kind}:${action.linkId}`;
    case "cosign-teardown":
      return `${mesh.key}:teardown:${action.linkId}`;
    case "collect-order":
      return `${mesh.key}:collect:${action.auctionId}:${action.index}`;
    case "prepare-order":
    case "commit-order":
    case "reveal-order":
    case "clear-auction":
    case "cancel-auction":
      return `${mesh.key}:${action.kind}:${action.auctionId}`;
    default:
      return `${mesh.key}:${action.kind}`;
  }
}

function beforeTrade(mesh: Mesh, facts: MeshFacts): Action[] {
  if (!mesh.event || mesh.abandoned || mesh.resolved) return [];
  if (!mesh.peers) return [{ kind: "scan" }];
  if (!facts.chainReachable || facts.draining || !mayOpen(mesh, facts.nowSeconds)) return [];
  const shortfall = shortfallOf(mesh, facts.self, facts.nowSeconds, facts.leadSeconds);
  return shortfall ? [{ kind: "open-auction", shortfall }] : [];
}

function trade(mesh: Mesh, auction: Auction, facts: MeshFacts): Action[] {
  if (!facts.chainReachable) return [];
  const { terms, order, outcome, orders } = auction;
  const mine = orders.find((o) => o.regionId === facts.self);
  if (outcome)
    return mine?.revealed && !mine.collected ? [{ kind: "collect-order", auctionId: terms.id, index: mine.index }] : [];

  const lastCommit = terms.openBlock + terms.phaseBlocks;
  const lastReveal = terms.openBlock + 2 * terms.phaseBlocks;
  const nextBlock = facts.headNumber + 1;
  if (nextBlock <= lastCommit) {
    const buys = mesh.event !== null && terms.opener === facts.self;
    if (!order && !facts.draining && !mesh.resolved && (buys || facts.sells))
      return [{ kind: "prepare-order", auctionId: terms.id, side: buys ? "bid" : "ask" }];
    return order && !("declined" in order) && !mine ? [{ kind: "commit-order", auctionId: terms.id }] : [];
  }
  const everyRevealed = orders.every((o) => o.revealed);
  if (!everyRevealed && nextBlock <= lastReveal)
    return mine && !mine.revealed && order && !("declined" in order)
      ? [{ kind: "reveal-order", auctionId: terms.id, index: mine.index }]
      : [];

  if (facts.blockNumber < (everyRevealed ? lastCommit : lastReveal)) return [];

  // The opener clears at once, each other region a block after the one before, so that they do not all send the same.
  const involved = terms.opener === facts.self ? 0 : mine ? 2 + mine.index : null;
  if (involved === null) return [];
  if (facts.blockNumber > lastReveal + facts.clearBlocks) return [{ kind: "cancel-auction", auctionId: terms.id }];
  return involved === 0 || facts.blockNumber >= lastReveal + involved
    ? [{ kind: "clear-auction", auctionId: terms.id }]
    : [];
}

function formation(mesh: Mesh, facts: MeshFacts): Action[] {
  const actions: Action[] = [...topology(mesh, facts), ...lostPeers(mesh, facts)];
  for (const link of wantedLinks(mesh, facts.self, facts.nowSeconds)) {
    const agreed = mesh.links.get(link.linkId)?.attempt;
    const isWithdrawn = mesh.withdrawn.has(link.linkId);
    const state = facts.links.get(link.linkId);
    if (!isWithdrawn && isUnanswered(agreed, state)) actions.push({ kind: "withdraw-link", linkId: link.linkId });
    if (!link.initiates || facts.nowSeconds > link.endSeconds - EPOCH_SECONDS) continue;
    const attempt = agreed !== undefined && isWithdrawn ? agreed + 1 : nextAttempt(agreed, state);
    if (attempt !== null) actions.push({ kind: "offer-link", link, attempt });
  }
  return actions;
}

/** One comparison in this time, each with another participant. */
export const COMPARE_SECONDS = 10;

function topology(mesh: Mesh, facts: MeshFacts): Action[] {
  const { self, nowSeconds } = facts;
  const opener = mesh.auctions[0]?.terms.opener;
  const live = leasesOf(mesh).filter((lease) => !isOver(mesh, lease, nowSeconds));
  const others = participantsOf(live).filter((id) => id !== self);
  const takesPart = opener !== undefined && others.length > 0 && ownLeases(mesh, self).length > 0;
  const isMissing = takesPart && (validTopology(mesh)?.auctions ?? 0) < grantedAuctions(mesh).length;
  const publishes = isMissing && nowSeconds >= earliestPublishSeconds(mesh, self, nowSeconds);
  const measures = (mesh.pairs?.auctions ?? 0) < mesh.auctions.length;
  if (measures && (publishes || (opener === self && mesh.peers))) return [{ kind: "measure-pairs" }];
  if (publishes) return [{ kind: "publish-topology" }];
  if (isMissing)
    return [{ kind: "fetch-topology", from: nowSeconds < openerDeadlineSeconds(mesh) ? [opener] : others }];
  const turn = others[Math.floor(nowSeconds / COMPARE_SECONDS) % others.length];
  return takesPart && others.length > 1 && turn !== undefined ? [{ kind: "compare-topology", with: turn }] : [];
}

/**
 * The attempt to offer now: 0 without an agreement, the next number where the link did not come up in time, or was down
 * so long that its other end may have lost the keys (a cable cut for seconds needs no new keys); null: none.
 */
function nextAttempt(agreed: number | undefined, state: LinkState | undefined): number | null {
  if (agreed === undefined) return 0;
  if (!state || state.attempt !== agreed || state.state === "up") return null;
  const patience =
    state.state === "down" ? RETRY_LOST_MILLIS : backoff(agreed + 1, RETRY_LINK_MILLIS, RETRY_LOST_MILLIS);
  return state.forMillis > patience ? agreed + 1 : null;
}

/** The other end neither answered probes nor agreed on another attempt for so long that the interface goes. */
function isUnanswered(agreed: number | undefined, state: LinkState | undefined): boolean {
  if (!state || state.attempt !== agreed || state.state === "up") return false;
  return state.forMillis > WITHDRAW_AFTER_MILLIS;
}

/** A seller out of reach for this long is lost: what it was to carry is bought from others. */
const LOST_AFTER_SECONDS = 20;
/** A lost peer's interface is kept for this long, since a peer that returns by then needs no handshake. */
const LOST_GRACE_SECONDS = 30;
const WITHDRAW_AFTER_MILLIS = (LOST_AFTER_SECONDS + LOST_GRACE_SECONDS) * 1000;

/** The buyer's sellers that are lost, and those of them that serve again: up for as long as it takes to be lost. */
function lostPeers(mesh: Mesh, facts: MeshFacts): Action[] {
  if (!mesh.event) return [];
  return ownLeases(mesh, facts.self)
    .filter((lease) => lease.buyer === facts.self && !isOver(mesh, lease, facts.nowSeconds))
    .flatMap((lease): Action[] => {
      const link = facts.links.get(linkOfLease(lease.id));
      if (mesh.lost.has(lease.id)) {
        const hasReturned = link?.state === "up" && link.forMillis > LOST_AFTER_SECONDS * 1000;
        return hasReturned ? [{ kind: "declare-returned", leaseId: lease.id }] : [];
      }
      const runsFor = facts.nowSeconds - lease.startSeconds;
      const isSilent = link?.state === "down" && link.forMillis > LOST_AFTER_SECONDS * 1000;
      // Never agreed on, or waiting for most of an attempt: meshd reports every link as waiting just after its restart,
      // and a link that it does not report now tells nothing.
      const isWaiting = link?.state === "waiting" && link.forMillis > RETRY_LINK_MILLIS - 1000;
      const neverCame = !mesh.links.has(linkOfLease(lease.id)) || isWaiting;
      if (runsFor < LOST_AFTER_SECONDS || !(isSilent || (neverCame && runsFor > 2 * LOST_AFTER_SECONDS))) return [];
      const reason = isSilent ? `no probe for ${LOST_AFTER_SECONDS} s` : "its link never came up";
      return [{ kind: "declare-lost", leaseId: lease.id, reason }];
    });
}

function metering(mesh: Mesh, facts: MeshFacts): Action[] {
  return ownLeases(mesh, facts.self)
    .filter((lease) => lease.buyer === facts.self && !mesh.settled.has(lease.id))
    .flatMap((lease): Action[] => {
      const cosigned = mesh.receipts.get(lease.id)?.receipt;
      if (cosigned?.release) return [];
      const elapsed = Math.min(facts.nowSeconds, lease.endSeconds) - lease.startSeconds;
      const due = Math.max(
        0,
        Math.floor((facts.nowSeconds < lease.endSeconds ? elapsed - RECEIPT_DELAY_SECONDS : elapsed) / EPOCH_SECONDS),
      );
      if (mesh.resolved && facts.nowSeconds < lease.endSeconds)
        return [
          {
            kind: "exchange-receipt",
            leaseId: lease.id,
            epochs: Math.max(0, Math.floor(elapsed / EPOCH_SECONDS)),
            release: true,
          },
        ];
      const graceOver = facts.nowSeconds > lease.endSeconds + GRACE_SECONDS;
      return due > (cosigned?.epochs ?? 0) && !graceOver
        ? [{ kind: "exchange-receipt", leaseId: lease.id, epochs: due, release: false }]
        : [];
    });
}

function ending(mesh: Mesh, facts: MeshFacts): Action[] {
  const actions: Action[] = [];
  const own = ownLeases(mesh, facts.self);
  const allOver = own.length > 0 && own.every((lease) => isOver(mesh, lease, facts.nowSeconds));
  if (
    allOver &&
    mesh.links.size > 0 &&
    !mesh.dissolved &&
    own.every((lease) => isAgreed(mesh, lease) || facts.nowSeconds > lease.endSeconds + GRACE_SECONDS)
  )
    actions.push({ kind: "dissolve" });
  return [...actions, ...settlements(mesh, facts), ...teardowns(mesh, facts)];
}

function settlements(mesh: Mesh, facts: MeshFacts): Action[] {
  if (!facts.chainReachable) return [];
  return ownLeases(mesh, facts.self)
    .filter((lease) => !mesh.settled.has(lease.id) && isOver(mesh, lease, facts.nowSeconds))
    .filter((lease) => {
      const since = facts.nowSeconds - endOf(mesh, lease);
      const patience = isAgreed(mesh, lease) ? 0 : GRACE_SECONDS;
      return since >= patience + (lease.buyer === facts.self ? 0 : SETTLE_STAGGER_SECONDS);
    })
    .map((lease) => ({ kind: "settle-lease", leaseId: lease.id }));
}

function teardowns(mesh: Mesh, facts: MeshFacts): Action[] {
  if (!mesh.dissolved || facts.nowSeconds > mesh.dissolved.atSeconds + TEARDOWN_TRIES_SECONDS) return [];
  return mesh.dissolved.links
    .filter((link) => link.peerSignature === null)
    .flatMap((link) => {
      const agreed = mesh.links.get(link.linkId);
      return agreed && facts.self < agreed.peer
        ? [{ kind: "cosign-teardown" as const, linkId: link.linkId, peer: agreed.peer }]
        : [];
    });
}

/** Both signed for the whole of what the lease ran. */
function isAgreed(mesh: Mesh, lease: GrantedLease): boolean {
  const receipt = mesh.receipts.get(lease.id)?.receipt;
  return (
    mesh.settled.has(lease.id) ||
    (receipt !== undefined &&
      (receipt.release || receipt.epochs * EPOCH_SECONDS >= lease.endSeconds - lease.startSeconds))
  );
}
