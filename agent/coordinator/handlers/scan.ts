import { rankPeers, type ScannedPeer } from "../../scan/rank.ts";
import type { Mesh } from "../mesh.ts";
import { regionOf, type Site } from "../site.ts";

/** Ranks the peers for an event; abandons the event where none is in reach. */
export async function scan(site: Site, mesh: Mesh): Promise<void> {
  const peers = await scanPeers(site);
  site.dispatch({ type: "PeersScanned", mesh: mesh.key, peers });
  if (!peers.some((peer) => peer.included))
    site.dispatch({
      type: "EventAbandoned",
      mesh: mesh.key,
      reason: `no region can be traded with: ${peers.map((p) => `${p.name} ${p.reason}`).join("; ") || "this region is alone"}`,
    });
}

/** Probes all active regions on a shared fabric at once; the others are excluded without a probe. */
export async function scanPeers(site: Site): Promise<ScannedPeer[]> {
  const self = regionOf(site, site.self);
  const fabrics = site.config.underlays.map((u) => u.fabric);
  const others = [...site.regions().values()].filter((region) => region.id !== site.self);
  const asked = others.filter((r) => r.active && r.fabrics.some((fabric) => fabrics.includes(fabric)));
  const probed = await site.latencies.measure(asked, 0, site.signal);
  const unasked = others.filter((r) => !asked.includes(r)).map((region) => ({ region, rttMicros: null }));
  const { rttMillis, km } = site.config.accept.radius;
  return rankPeers(self, [...probed, ...unasked], { fabrics, maxRttMillis: rttMillis, maxKm: km });
}
