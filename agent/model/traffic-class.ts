/** Traffic classes in order of precedence, and the DSCP of each (RFC 2474, 4594), for routing, marking and shaping. */
export const TRAFFIC_CLASSES = ["critical", "interactive", "bulk"] as const;
export type TrafficClass = (typeof TRAFFIC_CLASSES)[number];

/** Every other DSCP is bulk. */
export const DSCP: Readonly<Record<Exclude<TrafficClass, "bulk">, readonly number[]>> = {
  /** CS5, VOICE-ADMIT, EF, CS6, CS7. */
  critical: [40, 44, 46, 48, 56],
  /** CS3, AF31–33, CS4, AF41–43. */
  interactive: [24, 26, 28, 30, 32, 34, 36, 38],
};

/** @param dscp 0 to 63. */
export function classOfDscp(dscp: number): TrafficClass {
  if (DSCP.critical.includes(dscp)) return "critical";
  return DSCP.interactive.includes(dscp) ? "interactive" : "bulk";
}

/** The share of a lease's rate that may travel as critical; the rest is sent as bulk. */
export const CRITICAL_SHARE = 1 / 5;
