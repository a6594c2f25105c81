/** Round trips to peers, measured by an empty request on the control channel: without signature and state. */
import type { RegionId } from "../model/ids.ts";
import type { Region } from "../model/region.ts";
import type { ProbedRegion } from "../scan/rank.ts";

const PINGS = 4;
const TIMEOUT_MILLIS = 1500;
/** A region that did not answer is not tried again for this long. */
const FAILURE_FRESH_MILLIS = 3_000;

/** The shortest of a few round trips, after one that opens the connection. Tries each URL until one answers. */
export async function probeRegion(region: Region, signal: AbortSignal): Promise<ProbedRegion> {
  let failure = "it has no control URL";
  for (const url of region.controlUrls) {
    try {
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i <= PINGS; i++) {
        const sent = performance.now();
        const response = await fetch(`${url}/v1/ping`, {
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MILLIS)]),
          redirect: "error",
        });
        await response.arrayBuffer();
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
        if (i > 0) least = Math.min(least, performance.now() - sent);
      }
      return { region, rttMicros: Math.round(least * 1000) };
    } catch (error) {
      signal.throwIfAborted();
      failure =
        error instanceof Error && error.cause instanceof Error ? error.cause.message : String((error as Error).message);
    }
  }
  return { region, rttMicros: null, failure };
}

/** Measured round trips, kept for as long as the caller accepts; failures for a few seconds. */
export class LatencyTable {
  readonly #known = new Map<RegionId, { probed: ProbedRegion; atMillis: number }>();

  async measure(regions: readonly Region[], freshMillis: number, signal: AbortSignal): Promise<ProbedRegion[]> {
    return Promise.all(
      regions.map(async (region) => {
        const known = this.#known.get(region.id);
        const goodFor = known?.probed.rttMicros === null ? FAILURE_FRESH_MILLIS : freshMillis;
        if (known && performance.now() - known.atMillis < goodFor) return known.probed;
        const probed = await probeRegion(region, signal);
        this.#known.set(region.id, { probed, atMillis: performance.now() });
        return probed;
      }),
    );
  }
}
