/** What the API and the command line show: the answers of schemas.ts, which hold nothing secret. */
import type { Coordinator } from "../coordinator/coordinator.ts";
import { type Auction, endOf, isRecent, leasesOf, type Mesh, phaseOf } from "../coordinator/mesh.ts";
import { chainNow, type Site } from "../coordinator/site.ts";
import type { Telemetry } from "../coordinator/telemetry.ts";
import { monotonicMillis } from "../model/time.ts";
import type { AuctionAnswer, LeaseAnswer, MeshAnswer, StatusAnswer } from "./schemas.ts";

/** @param refusedMessages control messages that were refused, by code */
export function statusView(
  site: Site,
  coordinator: Coordinator,
  refusedMessages: ReadonlyMap<string, number>,
): StatusAnswer {
  const { telemetry } = coordinator;
  const meshes = [...coordinator.world.meshes.values()];
  const now = site.clock.isSet ? chainNow(site) : 0;
  return {
    region: site.config.region,
    regionId: site.self,
    chain: {
      reachable: coordinator.chainReachable,
      block: coordinator.blockNumber,
      chainId: site.deployment.chainId,
      headAgeSeconds: coordinator.headAgeSeconds,
      nodes: site.rpcNodes().map(({ url, isAnswering, sinceMillis, problem, headNumber }) => ({
        url,
        answering: isAnswering,
        sinceSeconds: Math.max(0, Math.round((monotonicMillis() - sinceMillis) / 1000)),
        problem,
        head: headNumber,
      })),
    },
    meshd: {
      versionMismatch: site.meshd.versionMismatch?.message ?? null,
      links: telemetry.links.size,
      up: [...telemetry.links.values()].filter((l) => l.state === "up").length,
      refusedAdvertisements: sums(telemetry.measurements.meshes.map((mesh) => mesh.refusedAdvertisements)),
      droppedPackets: sums([...telemetry.counters.values()].map((link) => link.droppedPackets)),
    },
    control: { refusedMessages: Object.fromEntries(refusedMessages) },
    draining: coordinator.draining,
    meshes: meshes.map((mesh) => ({ key: mesh.key, id: mesh.id, phase: phaseOf(mesh, site.self, now) })),
  };
}

/** One auction of a mesh. Of an own order that is not revealed it shows only that it is sealed. */
export function auctionView(site: Site, mesh: Mesh, auction: Auction): AuctionAnswer {
  const { terms, order, outcome } = auction;
  const nameOf = nameOfRegion(site);
  const mine = auction.orders.find((o) => o.regionId === site.self);
  return {
    auctionId: terms.id,
    meshId: terms.mesh,
    event: mesh.event?.id ?? null,
    opener: nameOf(terms.opener),
    kind: terms.kind,
    fabric: terms.fabric,
    lotMbps: terms.lotMbps,
    slots: terms.slots,
    priceCap: terms.priceCap,
    commitUntilBlock: terms.openBlock + terms.phaseBlocks,
    revealUntilBlock: terms.openBlock + 2 * terms.phaseBlocks,
    orders: auction.orders.map((o) => ({
      index: o.index,
      region: nameOf(o.regionId),
      side: o.side,
      bond: o.bond.toString(),
      score: o.score,
      price: o.revealed?.price ?? null,
      lots: o.revealed?.lots ?? null,
      won: o.collected?.lots ?? null,
    })),
    // The reasons tell the price: they are shown once the order is revealed.
    ownOrder: !order
      ? null
      : "declined" in order
        ? { declined: order.declined }
        : mine?.revealed
          ? { reasons: [...order.reasons] }
          : { sealed: true },
    outcome:
      outcome === null ? "open" : outcome.cancelled ? "cancelled" : outcome.lotsTraded === 0 ? "no trade" : "cleared",
    price: outcome && !outcome.cancelled ? outcome.price : null,
    lotsTraded: outcome && !outcome.cancelled ? outcome.lotsTraded : null,
  };
}

/** All leases of a mesh, those of other regions too. */
export function leaseView(site: Site, mesh: Mesh): LeaseAnswer[] {
  const nameOf = nameOfRegion(site);
  return leasesOf(mesh).map((lease) => {
    const receipt = mesh.receipts.get(lease.id)?.receipt;
    const settled = mesh.settled.get(lease.id);
    return {
      leaseId: lease.id,
      meshId: mesh.id,
      buyer: nameOf(lease.buyer),
      seller: nameOf(lease.seller),
      mbps: lease.mbps,
      startSeconds: lease.startSeconds,
      startsMonotonicMillis:
        site.clock.isSet && isRecent(mesh, chainNow(site)) ? site.clock.toMonotonicMillis(lease.startSeconds) : null,
      endSeconds: endOf(mesh, lease),
      receipt: receipt
        ? {
            epochs: receipt.epochs,
            availableSeconds: receipt.available,
            bytesToBuyer: receipt.bytesToBuyer.toString(),
            bytesToSeller: receipt.bytesToSeller.toString(),
            release: receipt.release,
          }
        : null,
      settled: settled ? { buyerPays: settled.buyerPays.toString(), sellerGets: settled.sellerGets.toString() } : null,
    };
  });
}

/** One mesh: facts of the journal and the chain, with what meshd measured last. */
export function meshView(
  site: Site,
  mesh: Mesh,
  { measurements, counters }: Pick<Telemetry, "measurements" | "counters">,
): MeshAnswer {
  const nameOf = nameOfRegion(site);
  const measured = measurements.meshes.find(({ meshId }) => meshId === mesh.id);
  return {
    key: mesh.key,
    meshId: mesh.id,
    phase: phaseOf(mesh, site.self, site.clock.isSet ? chainNow(site) : 0),
    event: mesh.event,
    abandoned: mesh.abandoned,
    resolved: mesh.resolved,
    peers: mesh.peers && [...mesh.peers],
    fabric: mesh.fabric,
    topology: mesh.topology && {
      mode: mesh.topology.mode,
      reason: mesh.topology.reason,
      publisher: nameOf(mesh.topology.publisher),
      added: mesh.topology.added.map(({ a, b }) => ({ a: nameOf(a), b: nameOf(b) })),
    },
    links: [...mesh.links.values()].map((link) => {
      const live = measured?.links.find((l) => l.linkId === link.linkId);
      return {
        ...(live ?? { state: "gone" as const, attempt: link.attempt }),
        linkId: link.linkId,
        peer: nameOf(link.peer),
        peerRegion: link.peer,
        endpoint: link.peerEndpoint,
        mtu: link.mtu,
        transcript: link.transcript,
        droppedPackets: counters.get(link.linkId)?.droppedPackets ?? null,
      };
    }),
    routes: (measured?.routes ?? []).map((route) => ({
      ...route,
      destinationName: nameOf(route.destination),
      buyerName: nameOf(route.buyer),
      pathNames: route.path.map(nameOf),
      nextHopNames: route.nextHops.map(({ region, weight }) => ({ name: nameOf(region), weight })),
      backupName: route.backup === null ? null : nameOf(route.backup),
    })),
    refusedAdvertisements: measured?.refusedAdvertisements ?? null,
    changes: measured?.changes ?? [],
    dissolved: mesh.dissolved && {
      atSeconds: mesh.dissolved.atSeconds,
      leftBehind: mesh.dissolved.leftBehind,
      links: [...mesh.dissolved.links],
    },
  };
}

/** The sum of each count. */
function sums<Name extends string>(counts: readonly Readonly<Record<Name, number>>[]): Partial<Record<Name, number>> {
  const total: Partial<Record<Name, number>> = {};
  for (const each of counts) for (const name in each) total[name] = (total[name] ?? 0) + each[name];
  return total;
}

/** A region that is not in the register goes by its number. */
function nameOfRegion(site: Site): (id: number) => string {
  const names = new Map([...site.regions().values()].map(({ id, name }) => [id as number, name]));
  return (id) => names.get(id) ?? String(id);
}
