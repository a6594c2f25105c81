/**
 * The additive cost of one edge, in microseconds: the expected time to carry one unit of the class's traffic, where each
 * lost unit is sent again (ROUTING.md, section 5). Monotone in each argument, saturating.
 */
import type { TrafficClass } from "../../model/traffic-class.ts";

const CLASS_BITS: Readonly<Record<TrafficClass, number>> = { critical: 12_000, interactive: 96_000, bulk: 64_000_000 };
/** Low enough for the sum over 1,000 edges to be an exact integer. */
export const MAX_COST_MICROS = 1_000_000_000_000;

/**
 * More loss than this violates the bound of any lease. Retransmission alone would still leave the edge cheap, so its cost
 * is multiplied: any path over a few good edges is preferred at once.
 */
const BREACH_LOSS_PPM = 100_000;
const BREACH_FACTOR = 4;

export interface EdgeMetric {
  readonly rttMicros: number;
  readonly lossForwardPpm: number;
  readonly lossReversePpm: number;
  readonly capacityKbps: number;
}

/** Microseconds, 1 to `MAX_COST_MICROS`, which also is the cost of an edge that carries nothing. */
export function linkCostMicros(edge: EdgeMetric, trafficClass: TrafficClass): number {
  const once = edge.rttMicros / 2 + (CLASS_BITS[trafficClass] * 1000) / Math.max(1, edge.capacityKbps);
  const arrives = (1_000_000 - edge.lossForwardPpm) * (1_000_000 - edge.lossReversePpm);
  if (arrives <= 0) return MAX_COST_MICROS;
  const isBreached = Math.max(edge.lossForwardPpm, edge.lossReversePpm) > BREACH_LOSS_PPM;
  const cost = ((isBreached ? BREACH_FACTOR : 1) * once * 1e12) / arrives;
  return Math.max(1, Math.min(MAX_COST_MICROS, Math.round(cost)));
}
