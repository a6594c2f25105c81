/**
 * The fabrics and the peering between the regions. Two drivers emulate them: the lab's own wire (wire-fabric.ts) and the
 * kernel's netem (netem-fabric.ts). Settings are for one direction of a pair.
 */
import type { Topology } from "../layout/topology.ts";
import { fabricIndex, regionIndex } from "../layout/topology.ts";

export interface LinkSettings {
  readonly delayMicros: number;
  /** Each frame waits up to this much longer; frames keep their order. */
  readonly jitterMicros: number;
  readonly lossPpm: number;
  /** 0: no limit. */
  readonly rateKbps: number;
  /** Frames that would wait behind more than this are dropped. */
  readonly queueBytes: number;
  /** Drops all frames; no device reports it. */
  readonly cut: boolean;
}

/** Counted since the lab came up. */
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
  /** Changes the named settings and leaves the others. */
  setLink(direction: Direction, change: Partial<LinkSettings>): Promise<void>;
  readLink(direction: Direction): Promise<LinkSettings>;
  readCounters(direction: Direction): Promise<LinkCounters>;
  /** Limits the rate of all pairs of a fabric together. */
  setShared(fabric: string, rateKbps: number, queueBytes: number): Promise<void>;
  close(): Promise<void>;
}

/** The settings of the topology, which `heal` restores. */
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

/** At least ten full frames: a shorter queue would drop frames below the rate. */
export function queueBytes(rateKbps: number, queueMillis: number): number {
  return Math.max(16_000, Math.round((rateKbps * queueMillis) / 8));
}
