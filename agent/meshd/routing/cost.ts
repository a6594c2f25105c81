/**
 * The additive cost of one edge, in microseconds: the expected time for one unit of the class's traffic to get across,
 * with each loss costing a repetition. ROUTING.md, section 5. Monotone in each argument, saturating.
 */
import type { TrafficClass } from "../../model/traffic-class.ts";

const CLASS_BITS: Readonly<Record<TrafficClass, number>> = { critical: 12_000, interactive: 96_000, bulk: 64_000_000 };
/** Low enough that the sum over 1,000 edges stays an exact integer. */
export const MAX_COST_MICROS = 1_000_000_000_000;

export interface EdgeMetric {
  readonly rttMicros: number;
  readonly lossForwardPpm: number;
  readonly lossReversePpm: number;
  readonly capacityKbps: number;
}

export function linkCostMicros(edge: EdgeMetric, trafficClass: TrafficClass): number {
  const once = edge.rttMicros / 2 + (CLASS_BITS[trafficClass] * 1000) / Math.max(1, edge.capacityKbps);
  const arrives = (1_000_000 - edge.lossForwardPpm) * (1_000_000 - edge.lossReversePpm);
  if (arrives <= 0) return MAX_COST_MICROS;
  return Math.max(1, Math.min(MAX_COST_MICROS, Math.round((once * 1e12) / arrives)));
}
