/** The links that a mesh wants at one region, and what meshd is told of them. Pure. */

import type { GrantedLease } from "../auction/facts.ts";
import type { Config } from "../config.ts";
import { isSameFamily } from "../model/address.ts";
import type { LinkId, MeshId, RegionId } from "../model/ids.ts";
import type { MeshPair, MeshSpec } from "../model/meshd-messages.ts";
import { attributesOf, type Region } from "../model/region.ts";
import { addedLinkId } from "../topology/topology.ts";
import { type Auction, isOver, leasesOf, linkOfLease, type Mesh } from "./mesh.ts";
import { validTopology } from "./publication.ts";

export interface WantedLink {
  readonly linkId: LinkId;
  readonly peer: RegionId;
  /** Offers the handshake: the buyer of a lease, the lower region of an added link. */
  readonly initiates: boolean;
  readonly shares: readonly { readonly buyer: RegionId; readonly rateMbps: number }[];
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly latencyBoundMicros: number;
  readonly fabric: string;
}

/** Links of `self` that are wanted now: those of leases that are not over, and added ones with a buyer left on both ends. */
export function wantedLinks(mesh: Mesh, self: RegionId, nowSeconds: number): WantedLink[] {
  const live = leasesOf(mesh).filter((lease) => !isOver(mesh, lease, nowSeconds));
  const leased = mesh.auctions.flatMap(({ terms, leases }) =>
    leases
      .filter((lease) => live.includes(lease) && (lease.buyer === self || lease.seller === self))
      .map((lease) => ({
        linkId: linkOfLease(lease.id),
        peer: lease.buyer === self ? lease.seller : lease.buyer,
        initiates: lease.buyer === self,
        shares: [{ buyer: lease.buyer, rateMbps: lease.mbps }],
        startSeconds: lease.startSeconds,
        endSeconds: lease.endSeconds,
        latencyBoundMicros: terms.latencyBoundMicros,
        fabric: terms.fabric,
      })),
  );
  const first = mesh.auctions[0]?.terms;
  const added = (validTopology(mesh)?.added ?? [])
    .filter(({ a, b }) => a === self || b === self)
    .flatMap(({ a, b, shares }) => {
      const alive = shares.filter(({ buyer }) =>
        [a, b].every((seller) => live.some((l) => l.seller === seller && l.buyer === buyer)),
      );
      if (!first || mesh.id === null || alive.length === 0) return [];
      const carried = live.filter((l) => alive.some((s) => s.buyer === l.buyer) && (l.seller === a || l.seller === b));
      return [
        {
          linkId: addedLinkId(mesh.id, a, b),
          peer: a === self ? b : a,
          initiates: a === self,
          shares: alive,
          startSeconds: Math.max(...carried.map((l) => l.startSeconds)),
          endSeconds: Math.min(...carried.map((l) => l.endSeconds)),
          latencyBoundMicros: first.latencyBoundMicros,
          fabric: first.fabric,
        },
      ];
    });
  return [...leased, ...added];
}

/** From a second of the chain to CLOCK_MONOTONIC in milliseconds (chain/clock.ts). */
export type ToMonotonicMillis = (chainSeconds: number) => number;

/** What meshd must set up for the mesh now: the agreed links, and the traffic that leases pay for. */
export function meshSpec(
  mesh: Mesh & { readonly id: MeshId },
  self: RegionId,
  regions: ReadonlyMap<RegionId, Region>,
  routing: Config["routing"],
  nowSeconds: number,
  toMonotonicMillis: ToMonotonicMillis,
): MeshSpec {
  const live = leasesOf(mesh).filter((lease) => !isOver(mesh, lease, nowSeconds));
  const participants = [...new Set([self, ...live.flatMap((l) => [l.buyer, l.seller])])].sort((a, b) => a - b);
  const links = wantedLinks(mesh, self, nowSeconds).flatMap((link) => {
    const agreed = mesh.links.get(link.linkId);
    if (!agreed || mesh.withdrawn.has(link.linkId)) return [];
    return [
      {
        linkId: link.linkId,
        attempt: agreed.attempt,
        peer: link.peer,
        underlay: agreed.underlay,
        peerEndpoint: agreed.peerEndpoint,
        mtu: agreed.mtu,
        shares: link.shares.map((share) => ({ ...share })),
        startsMonotonicMillis: Math.max(0, toMonotonicMillis(link.startSeconds)),
        notAfterMonotonicMillis: Math.max(0, toMonotonicMillis(link.endSeconds)),
        bounds: { maxRttMicros: link.latencyBoundMicros, maxLossPpm: 10_000 },
      },
    ];
  });
  return {
    meshId: mesh.id,
    self,
    participants: participants.flatMap((id) => {
      const region = regions.get(id);
      return region ? [{ regionId: id, routingKey: region.routingKey, prefixes: [...region.prefixes] }] : [];
    }),
    links,
    pairs: authorisedPairs(live, self, regions),
    transit: transitRights(live).map((right) => ({ ...right, ...requirementOf(mesh, right.buyer, live) })),
    fallback: routing.fallback,
    microPricePerMbps: Math.max(0, ...mesh.auctions.map(microPricePerMbps)),
  };
}

/** What every link of a buyer's paths must have: the attributes that the auctions of its leases required. */
function requirementOf(
  mesh: Mesh,
  buyer: RegionId,
  live: readonly GrantedLease[],
): Pick<MeshSpec["transit"][number], "require"> {
  const bits = mesh.auctions
    .filter(({ leases }) => leases.some((lease) => lease.buyer === buyer && live.includes(lease)))
    .reduce((all, { terms }) => all | terms.attributes, 0);
  return bits === 0 ? {} : { require: attributesOf(bits) };
}

/** From chain facts alone, so that both ends of a pair get the same. */
function microPricePerMbps({ terms, outcome, leases }: Auction): number {
  if (!outcome || outcome.cancelled || leases.length === 0) return 0;
  return Math.round((outcome.price * 1_000_000) / terms.lotMbps);
}

/** A flow belongs to the buyer among its two ends; only flows whose buyer may pass this region are listed. */
function authorisedPairs(
  live: readonly GrantedLease[],
  self: RegionId,
  regions: ReadonlyMap<RegionId, Region>,
): MeshPair[] {
  return transitRights(live)
    .filter(({ regions: allowed }) => allowed.includes(self))
    .flatMap(({ buyer, regions: allowed }) =>
      allowed
        .filter((seller) => seller !== buyer)
        .flatMap((seller) => [
          ...prefixPairs(regions.get(buyer), regions.get(seller), buyer),
          ...prefixPairs(regions.get(seller), regions.get(buyer), buyer),
        ]),
    )
    .filter(unclaimed());
}

/** Where both ends are buyers of one another, the pair belongs to the lower region: the first that claims it. */
function unclaimed(): (pair: MeshPair) => boolean {
  const seen = new Set<string>();
  return ({ source, destination }) => {
    const key = `${source} ${destination}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  };
}

function prefixPairs(from: Region | undefined, to: Region | undefined, buyer: RegionId): MeshPair[] {
  if (!from || !to) return [];
  return from.prefixes.flatMap((source) =>
    to.prefixes
      .filter((destination) => isSameFamily(source, destination))
      .map((destination) => ({ source, destination, sourceRegion: from.id, destinationRegion: to.id, buyer })),
  );
}

function transitRights(live: readonly GrantedLease[]): { buyer: RegionId; regions: RegionId[] }[] {
  const buyers = [...new Set(live.map((l) => l.buyer))].sort((a, b) => a - b);
  return buyers.map((buyer) => ({
    buyer,
    regions: [buyer, ...new Set(live.filter((l) => l.buyer === buyer).map((l) => l.seller))].sort((a, b) => a - b),
  }));
}
