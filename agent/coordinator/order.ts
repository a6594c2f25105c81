/**
 * What to open, bid and ask, from the policy, the meshes and what was read from the chain. Pure: the handlers and the
 * dry run read the facts and use the same decisions.
 */
import { dayOf } from "../auction/calendar.ts";
import type { AuctionTerms } from "../auction/facts.ts";
import {
  type Declined,
  type Funds,
  type OrderPlan,
  type OrderTerms,
  type Priority,
  planAsk,
  planBid,
  spareMbps,
} from "../auction/strategy.ts";
import { type PlannedAuction, planTerms } from "../auction/terms.ts";
import type { Config } from "../config.ts";
import type { RegionId } from "../model/ids.ts";
import { attributesOf, distanceKm, isInCell, type Region } from "../model/region.ts";
import type { ChainConstants } from "../model/register.ts";
import type { ScannedPeer } from "../scan/rank.ts";
import { isOver, type Mesh, type TriggeredEvent } from "./mesh.ts";
import { leadSeconds, type Shortfall, shortfallOf } from "./shortfall.ts";

export interface MarketFacts {
  readonly self: RegionId;
  readonly config: Pick<Config, "underlays" | "sell" | "buy" | "accept">;
  readonly constants: ChainConstants;
  readonly nowSeconds: number;
  readonly regions: ReadonlyMap<RegionId, Region>;
  /** Names by number in the register. */
  readonly fabrics: readonly string[];
  /** All meshes that this region knows. */
  readonly meshes: readonly Mesh[];
}

/** The terms of the auction for a shortfall of an event; `Declined`: the policy buys nothing. @throws EphemeshError FABRIC_UNKNOWN */
export function decideTerms(
  event: TriggeredEvent,
  shortfall: Omit<Shortfall, "reason">,
  peers: readonly ScannedPeer[],
  earlier: number,
  facts: MarketFacts,
): PlannedAuction | Declined {
  const policy = facts.config.buy[event.kind];
  if (!policy) return { declined: `the policy buys nothing for a ${event.kind} (buy.${event.kind})` };
  const included = peers.filter((peer) => peer.included);
  return planTerms({
    kind: event.kind,
    policy,
    accept: facts.config.accept,
    earlier,
    need: shortfall,
    farthestKm: Math.max(0, ...included.map((peer) => peer.distanceKm)),
    candidates: facts.config.underlays.map(({ fabric, spareMbps }) => ({
      fabric,
      peers: included.filter(({ id }) => facts.regions.get(id)?.fabrics.includes(fabric)).length,
      spareMbps: spareMbps - committedMbps(facts, { fabric, earliestStartSeconds: 0 }),
    })),
    fabrics: facts.fabrics,
    constants: facts.constants,
  });
}

/** The bid for what the event misses; `Declined`: none, with the reason. */
export function decideBid(
  mesh: Mesh,
  terms: OrderTerms,
  funds: Funds,
  priority: Priority,
  facts: MarketFacts,
): OrderPlan | Declined {
  const policy = mesh.event && facts.config.buy[mesh.event.kind];
  if (!mesh.event || !policy) return { declined: "no event of this region wants capacity here" };
  const lead = leadSeconds(facts.constants, policy.profile);
  const shortfall = shortfallOf(mesh, facts.self, facts.nowSeconds, lead);
  if (!shortfall) return { declined: "nothing is missing any more" };
  return planBid(shortfall.mbps, policy, terms, funds, priority, spentToday(facts));
}

/** The ask for what is spare on the auction's fabric; `Declined`: none, with the reason. */
export function decideAsk(terms: AuctionTerms, funds: Funds, facts: MarketFacts): OrderPlan | Declined {
  const { sell, underlays } = facts.config;
  if (!sell) return { declined: "the policy sells nothing (sell)" };
  const underlay = underlays.find((u) => u.fabric === terms.fabric);
  if (!underlay) return { declined: `this region has no underlay on fabric ${terms.fabric}` };
  const [self, opener] = [facts.regions.get(facts.self), facts.regions.get(terms.opener)];
  if (!self || !opener) return { declined: "the register does not have both regions" };
  if (self.organisation === opener.organisation) return { declined: "the opener belongs to the same organisation" };
  const missing = attributesOf(terms.attributes).filter((attribute) => !self.attributes.includes(attribute));
  if (missing.length > 0) return { declined: `the opener requires ${missing.join(", ")}` };
  if (!isInCell(self.place, terms))
    return { declined: `${Math.round(distanceKm(self.place, terms.place))} km from the opener, outside its cell` };
  const spare = spareMbps(underlay.spareMbps, sell.reserveMbps, committedMbps(facts, terms));
  return planAsk(sell, spare, terms, funds);
}

/**
 * Mbit/s of this region on the fabric that are leased beyond the start of what is offered now, or offered in an auction
 * that is not over. A lease that ends before a renewal begins leaves its capacity to it.
 */
export function committedMbps(
  { self, meshes, nowSeconds }: MarketFacts,
  { fabric, earliestStartSeconds }: Pick<AuctionTerms, "fabric" | "earliestStartSeconds">,
): number {
  let total = 0;
  for (const mesh of meshes)
    for (const { terms, order, outcome, leases } of mesh.auctions) {
      if (terms.fabric !== fabric) continue;
      if (outcome === null && order && !("declined" in order) && order.side === "ask")
        total += order.lots * terms.lotMbps;
      for (const lease of leases)
        if (lease.seller === self && !isOver(mesh, lease, nowSeconds) && lease.endSeconds > earliestStartSeconds)
          total += lease.mbps;
    }
  return total;
}

/** What today's bids hold or have cost: settled leases by their price, the rest by what they lock. */
export function spentToday({ self, meshes, nowSeconds }: MarketFacts): bigint {
  const today = dayOf(nowSeconds);
  let total = 0n;
  for (const mesh of meshes)
    for (const { terms, order, outcome, leases } of mesh.auctions) {
      if (!order || "declined" in order || order.side !== "bid" || dayOf(terms.openedAtSeconds) !== today) continue;
      const cost = (price: number, lots: number) => BigInt(price) * BigInt(lots) * BigInt(terms.slots);
      if (outcome === null) total += cost(order.price, order.lots);
      else if (!outcome.cancelled)
        for (const lease of leases)
          if (lease.buyer === self) total += mesh.settled.get(lease.id)?.buyerPays ?? cost(outcome.price, lease.lots);
    }
  return total;
}
