/**
 * The one vocabulary of traffic classes, in the order of their precedence, and which DSCP (RFC 2474, 4594) belongs to
 * which: routing, marking and shaping all read it here.
 */
export const TRAFFIC_CLASSES = ["critical", "interactive", "bulk"] as const;
export type TrafficClass = (typeof TRAFFIC_CLASSES)[number];

/** What is in neither list is bulk: an unmarked packet asks for nothing. */
export const DSCP: Readonly<Record<Exclude<TrafficClass, "bulk">, readonly number[]>> = {
  /** CS5, VOICE-ADMIT, EF, CS6, CS7. */
  critical: [40, 44, 46, 48, 56],
  /** CS3, AF31–33, CS4, AF41–43. */
  interactive: [24, 26, 28, 30, 32, 34, 36, 38],
};

export function classOfDscp(dscp: number): TrafficClass {
  if (DSCP.critical.includes(dscp)) return "critical";
  return DSCP.interactive.includes(dscp) ? "interactive" : "bulk";
}

/** Of a lease: what of `critical` is more than this travels as bulk. */
export const CRITICAL_SHARE = 1 / 5;
