/**
 * What a mesh still has to buy: everything at first, what a lost peer carried, the same again before the term ends
 * (top-up and renewal are auctions like any other; PROTOCOL.md, "What an event buys, and when"). Pure.
 */
import type { GrantedLease } from "../auction/facts.ts";
import { backoff } from "../model/backoff.ts";
import type { RegionId } from "../model/ids.ts";
import { LEASE_LEAD_SECONDS, MAX_TERM_SECONDS, MIN_TERM_SECONDS, type Profile } from "../model/market.ts";
import type { ChainConstants } from "../model/register.ts";
import { isOver, isTrading, type Mesh, neededUntilSeconds, ownLeases } from "./mesh.ts";

export interface Shortfall {
  readonly mbps: number;
  readonly durationSeconds: number;
  /** Unix second before which no lease is wanted; 0: as soon as can be. */
  readonly earliestStartSeconds: number;
  readonly reason: string;
}

/** Time between two auctions of an event, doubled after each one without leases: the market may offer more later. */
const FIRST_PAUSE_SECONDS = 60;
const MAX_PAUSE_SECONDS = 900;

/** Seconds from when an auction is opened to the start of its leases, with blocks of a second. */
export function leadSeconds({ urgentBlocks, normalBlocks }: PhaseBlocks, profile: Profile): number {
  return 2 * ((profile === "urgent" ? urgentBlocks : normalBlocks) + 1) + LEASE_LEAD_SECONDS;
}
type PhaseBlocks = Pick<ChainConstants, "urgentBlocks" | "normalBlocks">;

/** Null: nothing is missing, or the event no longer needs it. */
export function shortfallOf(
  mesh: Mesh,
  self: RegionId,
  nowSeconds: number,
  /** From when an auction is opened to the start of its leases. */
  leadSeconds: number,
): Shortfall | null {
  const { event } = mesh;
  if (!event || mesh.abandoned || mesh.resolved) return null;
  const wholeDemand = { mbps: event.demandMbps, durationSeconds: event.durationSeconds, earliestStartSeconds: 0 };
  if (!mesh.auctions.some((auction) => auction.outcome !== null))
    return neededUntilSeconds(mesh, self) < nowSeconds ? null : { ...wholeDemand, reason: "the event's demand" };

  const bought = ownLeases(mesh, self).filter((lease) => lease.buyer === self);
  const leftSeconds = Math.ceil(neededUntilSeconds(mesh, self) - nowSeconds - leadSeconds);
  if (bought.length === 0)
    return leftSeconds < MIN_TERM_SECONDS
      ? null
      : { ...wholeDemand, durationSeconds: clampTermSeconds(leftSeconds), reason: "nothing could be bought so far" };

  const target = Math.min(event.demandMbps, sum(bought.filter((lease) => lease.startSeconds === firstStart(bought))));
  const serving = bought.filter((lease) => !mesh.lost.has(lease.id) && !isOver(mesh, lease, nowSeconds));
  if (event.renews) {
    const ends = bought.filter((lease) => !isOver(mesh, lease, nowSeconds)).map((lease) => lease.endSeconds);
    const endSeconds = ends.length > 0 ? Math.min(...ends) : 0;
    const missing = target - sum(serving.filter((lease) => lease.endSeconds > endSeconds));
    if (endSeconds - nowSeconds < leadSeconds + FIRST_PAUSE_SECONDS && missing > 0)
      return {
        ...wholeDemand,
        mbps: missing,
        earliestStartSeconds: endSeconds,
        reason: "the term ends, the event goes on",
      };
  }
  const missing = target - sum(serving);
  const isLost = bought.some((lease) => mesh.lost.has(lease.id) && !isOver(mesh, lease, nowSeconds));
  if (missing <= 0 || !isLost || leftSeconds < MIN_TERM_SECONDS) return null;
  const durationSeconds = event.renews ? event.durationSeconds : clampTermSeconds(leftSeconds);
  return {
    mbps: missing,
    durationSeconds,
    earliestStartSeconds: 0,
    reason: `${missing} Mbit/s are missing since a peer was lost`,
  };
}

/** Whether an auction for the shortfall may be opened now: one at a time, and not too soon after the last. */
export function mayOpen(mesh: Mesh, nowSeconds: number): boolean {
  if (isTrading(mesh)) return false;
  const last = mesh.auctions.at(-1);
  if (!last) return true;
  const fruitless = mesh.auctions.length - 1 - mesh.auctions.findLastIndex((auction) => auction.leases.length > 0);
  const pause = backoff(fruitless, FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS);
  return nowSeconds >= last.terms.openedAtSeconds + pause;
}

function firstStart(leases: readonly GrantedLease[]): number {
  return Math.min(...leases.map((lease) => lease.startSeconds));
}

function clampTermSeconds(seconds: number): number {
  return Math.max(MIN_TERM_SECONDS, Math.min(seconds, MAX_TERM_SECONDS));
}

function sum(leases: readonly GrantedLease[]): number {
  return leases.reduce((total, lease) => total + lease.mbps, 0);
}
