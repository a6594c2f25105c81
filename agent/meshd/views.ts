/** What meshd reports: measurements, counters, and its objects in the kernel. */
import type { RegionId } from "../model/ids.ts";
import type { Counters, Measurements } from "../model/meshd-messages.ts";
import { monotonicMillis } from "../model/time.ts";
import { readDevices } from "./counters/device-counters.ts";
import { type Drops, NO_DROPS } from "./counters/drops.ts";
import { ourDevices } from "./eni/found.ts";
import { NFT_TABLE } from "./kernel/marks.ts";
import type { Link } from "./link/link.ts";
import type { MeshInstance } from "./mesh-instance.ts";
import type { Meshd } from "./meshd.ts";
import type { Route } from "./routing/routes.ts";
import { readKernelObjects } from "./steering/kernel-objects.ts";
import { hasTable } from "./steering/table.ts";

/** The reply to `measurements`: every mesh with its links, routes and last changes. */
export function measurementsOf(meshd: Meshd): Measurements {
  return {
    meshes: [...meshd.meshes.values()].map((mesh) => ({
      meshId: mesh.spec.meshId,
      links: [...meshd.links.values()]
        .filter((link) => link.meshId === mesh.spec.meshId)
        .map((link) => linkMeasurement(link, mesh)),
      routes: mesh.routes.map((route) => routeView(route, mesh.peers)),
      refusedAdvertisements: mesh.refusals.byReason,
      changes: [...mesh.changes],
    })),
  };
}

function linkMeasurement(link: Link, mesh: MeshInstance): Measurements["meshes"][number]["links"][number] {
  const { health, spec, device } = link;
  return {
    linkId: spec.linkId,
    attempt: spec.attempt,
    peer: spec.peer,
    device,
    ownAddress: link.ownAddress,
    peerAddress: link.peerAddress,
    state: health.state,
    sinceMonotonicMillis: health.sinceMillis,
    rttMicros: health.rttMicros,
    baseRttMicros: health.baseRttMicros,
    jitterMicros: health.jitterMicros,
    lossForwardPpm: health.lossForwardPpm,
    lossReversePpm: health.lossReversePpm,
    shortageKbps: link.shortageKbps(monotonicMillis()),
    refusedAdvertisements: mesh.refusals.ofLink(link.tag),
  };
}

function routeView(
  { destination, buyer, trafficClass, path, bucketGroups, costMicros, backup, reason }: Route,
  peers: ReadonlyMap<string, RegionId>,
): Measurements["meshes"][number]["routes"][number] {
  const counts = Map.groupBy(
    bucketGroups.flatMap((tag) => peers.get(tag) ?? []),
    (peer) => peer,
  );
  return {
    destination,
    buyer,
    trafficClass,
    path: [...path],
    costMicros,
    nextHops: [...counts].map(([region, each]) => ({ region, weight: each.length })),
    backup: (backup !== null && peers.get(backup)) || null,
    reason,
  };
}

/** The reply to `counters`: packets, bytes, drops and epochs of each link. */
export async function countersOf(meshd: Meshd, drops: Drops): Promise<Counters> {
  const nowMillis = monotonicMillis();
  const links = [...meshd.links.values()];
  if (links.length === 0) return { links: [] };
  const counts = readDevices();
  const dropped = await drops.read(nowMillis);
  return {
    links: links.map(({ spec, device, epochs }) => {
      const count = counts.get(device);
      return {
        linkId: spec.linkId,
        attempt: spec.attempt,
        receivedPackets: count?.receivedPackets ?? 0,
        receivedBytes: count?.receivedBytes ?? 0,
        sentPackets: count?.sentPackets ?? 0,
        sentBytes: count?.sentBytes ?? 0,
        droppedPackets: { ...NO_DROPS, ...dropped.get(device), interface: count?.droppedPackets ?? 0 },
        epochs: [...epochs.over(nowMillis)],
      };
    }),
  };
}

/** meshd's objects in this network namespace, read from the kernel. */
export async function kernelSnapshot() {
  const [devices, objects, isTableThere] = await Promise.all([ourDevices(), readKernelObjects(), hasTable()]);
  return {
    devices: [...devices].sort(),
    rules: objects.rules4.size + objects.rules6.size,
    routes: objects.routes.size,
    nextHops: objects.nextHops.size,
    nftTables: isTableThere ? [`inet ${NFT_TABLE}`] : [],
  };
}
