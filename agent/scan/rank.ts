/** Ranks the regions that may sell to this one, by round trip; every exclusion has its reason. Pure. */
import type { RegionId } from "../model/ids.ts";
import { distanceKm, type Region } from "../model/region.ts";

export interface ProbedRegion {
  readonly region: Region;
  /** Least of the round trips measured, null where it did not answer. */
  readonly rttMicros: number | null;
  /** Why it did not answer. */
  readonly failure?: string;
}

export interface ScannedPeer {
  readonly id: RegionId;
  readonly name: string;
  readonly rttMicros: number | null;
  readonly distanceKm: number;
  readonly included: boolean;
  readonly reason: string;
}

export interface ScanPolicy {
  readonly fabrics: readonly string[];
  readonly maxRttMillis: number;
  /** Great-circle; absent: any distance. */
  readonly maxKm?: number | undefined;
}

/** Included peers first, nearest first; then the excluded with their reasons. */
export function rankPeers(self: Region, probed: readonly ProbedRegion[], policy: ScanPolicy): ScannedPeer[] {
  return probed
    .filter(({ region }) => region.id !== self.id)
    .map((probe) => {
      const km = distanceKm(self.place, probe.region.place);
      const refusal = refusalReason(self, probe, km, policy);
      return {
        id: probe.region.id,
        name: probe.region.name,
        rttMicros: probe.rttMicros,
        distanceKm: Math.round(km),
        included: refusal === null,
        reason: refusal ?? `answers in ${(probe.rttMicros! / 1000).toFixed(1)} ms on a shared fabric`,
      };
    })
    .sort(
      (a, b) => Number(b.included) - Number(a.included) || (a.rttMicros ?? 1e12) - (b.rttMicros ?? 1e12) || a.id - b.id,
    );
}

function refusalReason(
  self: Region,
  { region, rttMicros, failure }: ProbedRegion,
  km: number,
  policy: ScanPolicy,
): string | null {
  if (!region.active) return "suspended by the consortium";
  if (region.organisation === self.organisation)
    return "belongs to the same organisation: nothing is traded inside one";
  if (!region.fabrics.some((fabric) => policy.fabrics.includes(fabric))) return "shares no fabric with this region";
  if (policy.maxKm !== undefined && km > policy.maxKm)
    return `${Math.round(km)} km away, beyond the radius of ${policy.maxKm} km`;
  if (rttMicros === null) return `does not answer: ${failure ?? "no reply"}`;
  if (rttMicros > policy.maxRttMillis * 1000)
    return `${(rttMicros / 1000).toFixed(1)} ms away, beyond the radius of ${policy.maxRttMillis} ms`;
  return null;
}
