/** Prometheus metrics `ephemesh_…` in base units, computed for each request. */
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { isOver, leasesOf, phaseOf } from "../coordinator/mesh.ts";
import { chainNow, type Site } from "../coordinator/site.ts";

/** @param refusedMessages control messages that were refused, by code */
export function agentMetrics(
  site: Site,
  coordinator: Coordinator,
  refusedMessages: ReadonlyMap<string, number>,
): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "ephemesh_agent_", eventLoopMonitoringPrecision: 100 });
  const gauge = (name: string, help: string, labelNames: readonly string[], collect: (g: Gauge) => void) =>
    new Gauge({
      name: `ephemesh_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        collect(this);
      },
    });
  const now = () => (site.clock.isSet ? chainNow(site) : 0);
  const meshes = () => [...coordinator.world.meshes.values()];
  gauge("chain_reachable", "1 while an RPC node answers, else 0", [], (g) => g.set(coordinator.chainReachable ? 1 : 0));
  gauge("meshd_version_mismatch", "1 while agent and meshd run different versions, else 0", [], (g) =>
    g.set(site.meshd.versionMismatch ? 1 : 0),
  );
  gauge("chain_block", "number of the last block read", [], (g) => g.set(coordinator.blockNumber));
  gauge("chain_head_age_seconds", "how long the newest block has been the newest", [], (g) => {
    if (coordinator.headAgeSeconds !== null) g.set(coordinator.headAgeSeconds);
  });
  gauge("rpc_node_answering", "1 while an RPC node answers, 0 while it does not", ["url"], (g) => {
    for (const { url, isAnswering } of site.rpcNodes()) if (isAnswering !== null) g.set({ url }, isAnswering ? 1 : 0);
  });
  gauge("rpc_node_head", "the newest block that an RPC node named", ["url"], (g) => {
    for (const { url, headNumber } of site.rpcNodes()) if (headNumber !== null) g.set({ url }, headNumber);
  });
  gauge("meshes", "meshes by phase", ["phase"], (g) => {
    for (const mesh of meshes()) g.inc({ phase: phaseOf(mesh, site.self, now()) });
  });
  gauge("leases_live", "leases of this region that run or will run", [], (g) =>
    g.set(meshes().flatMap((mesh) => leasesOf(mesh).filter((l) => !isOver(mesh, l, now()))).length),
  );
  gauge("link_up", "1 while the probes of a link are answered, else 0", ["link", "peer"], (g) => {
    for (const mesh of coordinator.telemetry.measurements.meshes)
      for (const link of mesh.links)
        g.set({ link: link.linkId.slice(0, 10), peer: String(link.peer) }, link.state === "up" ? 1 : 0);
  });
  gauge("link_round_trip_seconds", "round trip inside a link", ["link", "peer"], (g) => {
    for (const mesh of coordinator.telemetry.measurements.meshes)
      for (const link of mesh.links)
        if (link.rttMicros !== null)
          g.set({ link: link.linkId.slice(0, 10), peer: String(link.peer) }, link.rttMicros / 1e6);
  });
  gauge("link_received_bytes", "inner IP bytes received over a link", ["link"], (g) => {
    for (const [id, link] of coordinator.telemetry.counters) g.set({ link: id.slice(0, 10) }, link.receivedBytes);
  });
  gauge("link_dropped_packets", "packets that this end of a link dropped", ["link", "reason"], (g) => {
    for (const [id, { droppedPackets }] of coordinator.telemetry.counters)
      for (const [reason, count] of Object.entries(droppedPackets)) g.set({ link: id.slice(0, 10), reason }, count);
  });
  gauge("refused_advertisements", "advertisements of peers that were refused", ["mesh", "reason"], (g) => {
    for (const { meshId, refusedAdvertisements } of coordinator.telemetry.measurements.meshes)
      for (const [reason, count] of Object.entries(refusedAdvertisements))
        g.set({ mesh: String(meshId), reason }, count);
  });
  gauge("refused_control_messages", "control messages of peers that were refused", ["code"], (g) => {
    for (const [code, count] of refusedMessages) g.set({ code }, count);
  });
  return registry;
}
