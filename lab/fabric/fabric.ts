/**
 * The media between the regions: what both implementations offer, the lab's own wire (wire-fabric.ts) and the kernel's
 * netem (netem-fabric.ts). Everything is per direction of a pair; what is not named in a change stays as it is.
 */
import type { Topology } from "../layout/topology.ts";
import { fabricIndex, regionIndex } from "../layout/topology.ts";

export interface LinkSettings {
  readonly delayMicros: number;
  /** Each frame waits up to this much longer; the order is kept. */
  readonly jitterMicros: number;
  readonly lossPpm: number;
  /** 0: no limit. */
  readonly rateKbps: number;
  /** Frames that would wait behind more than this are dropped. */
  readonly queueBytes: number;
  /** Nothing passes, and nothing says so: the cable is cut out of sight. */
  readonly cut: boolean;
}

/** Since the lab came up. */
export interface LinkCounters {
  readonly frames: number;
  readonly bytes: number;
  readonly dropped: number;
}

export interface Direction {
  readonly fabric: string;
  readonly from: string;
  readonly to: string;
}

export interface FabricDriver {
  readonly kind: "wire" | "netem";
  setLink(direction: Direction, change: Partial<LinkSettings>): Promise<void>;
  readLink(direction: Direction): Promise<LinkSettings>;
  readCounters(direction: Direction): Promise<LinkCounters>;
  /** What all pairs of the fabric share. */
  setShared(fabric: string, rateKbps: number, queueBytes: number): Promise<void>;
  close(): Promise<void>;
}

/** A link as the topology has it: what a heal goes back to. */
export function topologyLink(topology: Topology, direction: Direction): LinkSettings {
  const medium = [topology.peering, ...topology.fabrics][fabricIndex(topology, direction.fabric)]!;
  const rttMillis =
    topology.rttMillis[regionIndex(topology, direction.from) - 1]![regionIndex(topology, direction.to) - 1]!;
  const rateKbps = Math.round((medium.pairMbps ?? 0) * 1000);
  return {
    delayMicros: Math.round(rttMillis * 500),
    jitterMicros: 0,
    lossPpm: 0,
    rateKbps,
    queueBytes: queueBytes(rateKbps, medium.queueMillis),
    cut: false,
  };
}

/** At least a few full frames: a shorter queue would drop what the rate allows. */
export function queueBytes(rateKbps: number, queueMillis: number): number {
  return Math.max(16_000, Math.round((rateKbps * queueMillis) / 8));
}
