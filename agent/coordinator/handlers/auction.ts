import { randomBytes } from "node:crypto";
import type { Hex } from "viem";
import { dayOf, weekOf } from "../../auction/calendar.ts";
import { findCertificate } from "../../auction/clearing.ts";
import { commitmentOf, SIDES, type Side } from "../../auction/commitment.ts";
import type { AuctionTerms } from "../../auction/facts.ts";
import {
  type Declined,
  type Funds,
  lotFor,
  type OrderPlan,
  type OrderTerms,
  type Priority,
  planAsk,
  planBid,
  priceCapFor,
  spareMbps,
} from "../../auction/strategy.ts";
import { capacityAuctionAbi } from "../../chain/abi/capacity-auction.ts";
import { leaseEscrowAbi } from "../../chain/abi/lease-escrow.ts";
import { reputationAbi } from "../../chain/abi/reputation.ts";
import { ContractRefusal } from "../../chain/refusals.ts";
import { EphemeshError } from "../../model/errors.ts";
import { EVENT_KINDS } from "../../model/event.ts";
import type { AuctionId } from "../../model/ids.ts";
import { ATTRIBUTES, distanceKm } from "../../model/region.ts";
import { type Auction, isOver, type Mesh, type PreparedOrder } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import { shortfallOf } from "../shortfall.ts";
import { chainNow, leadSeconds, regionOf, type Site } from "../site.ts";

const NO_TRADE = 65_535;
/** Cells are opened a little wider than the farthest peer, whose place is rounded on chain. */
const CELL_MARGIN = 1.02;
const EARTH_RADIUS_KM = 6371;
/** A commit window, and some more for a chain that is slow. */
const DAY_MAY_TURN_SECONDS = 600;

type Of<K extends Action["kind"]> = Extract<Action, { kind: K }>;

/** The first auction of an event, or a further one of its mesh: a top-up, a renewal. */
export async function openAuction(site: Site, mesh: Mesh, { shortfall }: Of<"open-auction">): Promise<void> {
  const { event } = mesh;
  if (!event || !mesh.peers) return;
  const policy = site.config.buy[event.kind];
  if (!policy) {
    site.dispatch({
      type: "EventAbandoned",
      mesh: mesh.key,
      reason: `the policy buys nothing for a ${event.kind} (buy.${event.kind})`,
    });
    return;
  }
  const fabric = site.config.underlays[0]!.fabric;
  const lotMbps = lotFor(shortfall.mbps);
  const farthestKm = Math.max(...mesh.peers.filter((peer) => peer.included).map((peer) => peer.distanceKm));
  const cosine = Math.floor(1e9 * Math.cos(Math.min(Math.PI, (farthestKm * CELL_MARGIN) / EARTH_RADIUS_KM)));
  const terms = {
    kind: EVENT_KINDS.indexOf(event.kind),
    earlier: mesh.id ?? 0,
    fabric: fabricIndex(site, fabric),
    cosine: Math.min(cosine, site.constants.maxCosine),
    attributes: site.config.accept.require.reduce((bits, attribute) => bits | (1 << ATTRIBUTES.indexOf(attribute)), 0),
    requiresMinScore: false,
    // A seller and another seller are at most twice the radius apart.
    latencyBoundMicros: Math.round(2000 * site.config.accept.radius.rttMillis),
    lotMbps,
    slots: Math.min(65_535, Math.max(5, Math.ceil(shortfall.durationSeconds / 60))),
    earliestStart: shortfall.earliestStartSeconds,
    priceCap: priceCapFor(policy, lotMbps),
    profile: 0,
  };
  try {
    const purpose = `open:${event.id}:${mesh.auctions.length}`;
    await site.sender.send(purpose, auctionCall(site, "open", [site.self, terms]), site.signal, event.id);
  } catch (error) {
    // What was bought runs on, and a shortage may pass: a renewal or replacement is tried again.
    if (!(error instanceof ContractRefusal) || mesh.auctions.length > 0) throw error;
    site.dispatch({ type: "EventAbandoned", mesh: mesh.key, reason: `${error.message} ${error.remedy}` });
  }
}

function fabricIndex(site: Site, name: string): number {
  const index = site.fabrics().indexOf(name);
  if (index < 0)
    throw new EphemeshError(
      "FABRIC_UNKNOWN",
      `The consortium's register has no fabric "${name}"; no auction was opened.`,
      "Correct underlays[].fabric, or have the consortium register it.",
      { retryable: true },
    );
  return index;
}

export async function prepareOrder(site: Site, mesh: Mesh, { auctionId, side }: Of<"prepare-order">): Promise<void> {
  const { terms } = auctionOf(mesh, auctionId);
  const [funds, priority] = await Promise.all([readFunds(site), readPriority(site)]);
  // From here to the dispatch nothing waits, so that two auctions cannot both be offered the same capacity (INV-11).
  const plan = side === "bid" ? bidFor(site, mesh, terms, funds, priority) : askFor(site, terms, funds);
  if ("declined" in plan) site.dispatch({ type: "OrderDeclined", auctionId, reason: plan.declined });
  else site.dispatch({ type: "OrderPrepared", auctionId, order: sealOrder(site, auctionId, side, plan) });
}

export async function commitOrder(site: Site, mesh: Mesh, { auctionId }: Of<"commit-order">): Promise<void> {
  const order = preparedOrder(mesh, auctionId);
  const { side, bond, commitment } = order;
  await site.sender.send(
    `commit:${auctionId}`,
    auctionCall(site, "commit", [auctionId, site.self, SIDES.indexOf(side), bond, commitment]),
    site.signal,
  );
}

export async function revealOrder(site: Site, mesh: Mesh, { auctionId, index }: Of<"reveal-order">): Promise<void> {
  const { side, price, lots, boostBps, bond, salt } = preparedOrder(mesh, auctionId);
  const opening = { index, regionId: site.self, side: SIDES.indexOf(side), price, lots, boostBps, bond, salt };
  await site.sender.send(`reveal:${auctionId}`, auctionCall(site, "reveal", [auctionId, opening]), site.signal);
}

export async function clearAuction(site: Site, mesh: Mesh, { auctionId }: Of<"clear-auction">): Promise<void> {
  const { orders, terms } = auctionOf(mesh, auctionId);
  const certificate = findCertificate(
    orders.flatMap(({ index, side, score, revealed }) =>
      revealed ? [{ index, side, score, price: revealed.price, lots: revealed.lots, bps: revealed.bps }] : [],
    ),
    terms.priceCap,
  );
  const { bid, ask } = certificate ?? { bid: NO_TRADE, ask: NO_TRADE };
  await quietly(
    ["AlreadyCleared"],
    site.sender.send(`clear:${auctionId}`, auctionCall(site, "clear", [auctionId, bid, ask]), site.signal),
  );
}

export async function closeWithoutTrade(site: Site, { auctionId }: Of<"cancel-auction">): Promise<void> {
  await quietly(
    ["AlreadyCleared", "AlreadyCancelled"],
    site.sender.send(`cancel:${auctionId}`, auctionCall(site, "cancel", [auctionId]), site.signal),
  );
}

export async function collectOrder(site: Site, { auctionId, index }: Of<"collect-order">): Promise<void> {
  await quietly(
    ["AlreadyCollected"],
    site.sender.send(`collect:${auctionId}`, auctionCall(site, "collect", [auctionId, [index]]), site.signal),
  );
}

export async function readFunds(site: Site): Promise<Funds> {
  const account = await site.client.readContract({
    address: site.deployment.escrow,
    abi: leaseEscrowAbi,
    functionName: "account",
    args: [site.self],
  });
  return { free: account.free, allowance: account.allowance, minBond: site.constants.minBond };
}

/** The week of an auction that is opened now is the one that counts, and the score of the day of its commitment. */
export async function readPriority(site: Site): Promise<Priority> {
  const now = chainNow(site);
  const [score, [, budget, used]] = await Promise.all([
    site.client.readContract({
      address: site.deployment.reputation,
      abi: reputationAbi,
      functionName: "closingScore",
      args: [site.self],
    }),
    site.client.readContract({
      address: site.deployment.escrow,
      abi: leaseEscrowAbi,
      functionName: "budgetOf",
      args: [site.self, weekOf(now)],
    }),
  ]);
  return { score: dayOf(now) === dayOf(now + DAY_MAY_TURN_SECONDS) ? score : null, budgetLeft: budget - used };
}

export function bidFor(
  site: Site,
  mesh: Mesh,
  terms: OrderTerms,
  funds: Funds,
  priority: Priority,
): OrderPlan | Declined {
  const policy = mesh.event && site.config.buy[mesh.event.kind];
  if (!mesh.event || !policy) return { declined: "no event of this region wants capacity here" };
  const shortfall = shortfallOf(mesh, site.self, chainNow(site), leadSeconds(site.constants));
  if (!shortfall) return { declined: "nothing is missing any more" };
  return planBid(shortfall.mbps, policy, terms, funds, priority, spentToday(site));
}

function askFor(site: Site, terms: AuctionTerms, funds: Funds): OrderPlan | Declined {
  const { sell } = site.config;
  const underlay = site.config.underlays.find((u) => u.fabric === terms.fabric);
  if (!sell) return { declined: "the policy sells nothing (sell)" };
  if (!underlay) return { declined: `this region has no underlay on fabric ${terms.fabric}` };
  const [self, opener] = [regionOf(site, site.self), regionOf(site, terms.opener)];
  if (self.organisation === opener.organisation) return { declined: "the opener belongs to the same organisation" };
  const missing = ATTRIBUTES.filter(
    (attribute, i) => (terms.attributes >>> i) & 1 && !self.attributes.includes(attribute),
  );
  if (missing.length > 0) return { declined: `the opener requires ${missing.join(", ")}` };
  const { x, y, z } = self.place;
  if (x * terms.place.x + y * terms.place.y + z * terms.place.z < terms.cosine * 1e9)
    return { declined: `${Math.round(distanceKm(self.place, terms.place))} km from the opener, outside its cell` };
  const spare = spareMbps(underlay.spareMbps, sell.reserveMbps, soldOrOffered(site, terms));
  return planAsk(sell, spare, terms, funds);
}

/**
 * Mbit/s of this region on the fabric that are leased beyond the start of what is offered now, or offered in an auction
 * that is not over. A lease that ends before a renewal begins leaves its capacity to it.
 */
function soldOrOffered(site: Site, { fabric, earliestStartSeconds }: AuctionTerms): number {
  const now = chainNow(site);
  let total = 0;
  for (const mesh of site.world().meshes.values())
    for (const { terms, order, outcome, leases } of mesh.auctions) {
      if (terms.fabric !== fabric) continue;
      if (outcome === null && order && !("declined" in order) && order.side === "ask")
        total += order.lots * terms.lotMbps;
      for (const lease of leases)
        if (lease.seller === site.self && !isOver(mesh, lease, now) && lease.endSeconds > earliestStartSeconds)
          total += lease.mbps;
    }
  return total;
}

/** What today's bids hold or have cost: settled leases by their price, the rest by what they lock. */
function spentToday(site: Site): bigint {
  const today = dayOf(chainNow(site));
  let total = 0n;
  for (const mesh of site.world().meshes.values())
    for (const { terms, order, outcome, leases } of mesh.auctions) {
      if (!order || "declined" in order || order.side !== "bid" || dayOf(terms.openedAtSeconds) !== today) continue;
      if (outcome === null) total += BigInt(order.price) * BigInt(order.lots) * BigInt(terms.slots);
      else if (!outcome.cancelled)
        for (const lease of leases)
          if (lease.buyer === site.self)
            total +=
              mesh.settled.get(lease.id)?.buyerPays ?? BigInt(outcome.price) * BigInt(lease.lots) * BigInt(terms.slots);
    }
  return total;
}

function sealOrder(site: Site, auctionId: AuctionId, side: Side, plan: OrderPlan): PreparedOrder {
  const salt: Hex = `0x${randomBytes(32).toString("hex")}`;
  const commitment = commitmentOf({
    chainId: site.deployment.chainId,
    auction: site.deployment.auction,
    auctionId,
    regionId: site.self,
    side,
    price: plan.price,
    lots: plan.lots,
    boostBps: plan.boostBps,
    salt,
  });
  return {
    side,
    price: plan.price,
    lots: plan.lots,
    boostBps: plan.boostBps,
    bond: plan.bond,
    salt,
    commitment,
    reasons: plan.reasons,
  };
}

function preparedOrder(mesh: Mesh, auctionId: AuctionId): PreparedOrder {
  const { order } = auctionOf(mesh, auctionId);
  if (!order || "declined" in order)
    throw new EphemeshError(
      "NO_ORDER",
      `There is no order of ours in auction ${auctionId}.`,
      "Nothing needs to be done.",
    );
  return order;
}

function auctionOf(mesh: Mesh, auctionId: AuctionId): Auction {
  const found = mesh.auctions.find((auction) => auction.terms.id === auctionId);
  if (!found)
    throw new EphemeshError(
      "UNKNOWN_AUCTION",
      `Auction ${auctionId} is not part of ${mesh.key}.`,
      "It may have been taken back by a reorganisation.",
    );
  return found;
}

function auctionCall(site: Site, functionName: string, args: readonly unknown[]) {
  return { address: site.deployment.auction, abi: capacityAuctionAbi, functionName, args };
}

/** Somebody else was first: that is as good. */
async function quietly(refusals: readonly string[], sending: Promise<void>): Promise<void> {
  await sending.catch((error: unknown) => {
    if (!(error instanceof ContractRefusal && refusals.includes(error.refusal))) throw error;
  });
}
