/** What the demo measures with traffic: the file over the peering, over the mesh with a cut cable, and a one-way loss. */
import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMillis } from "../../agent/model/time.ts";
import type { Lab } from "../lab.ts";
import type { LabSite } from "../site.ts";
import { interruption } from "../traffic/arrivals.ts";
import type { Stream } from "../traffic/stream.ts";
import { ratesMbps, Transfer } from "../traffic/transfer.ts";
import type { DemoFigures } from "./figures.ts";
import { routeTo } from "./regions.ts";

const FABRIC = "ix-atlantic";
const PEERING_SAMPLE_MILLIS = 6000;
const RATE_PERIOD_MILLIS = 500;

export interface Parcel {
  readonly from: string;
  readonly to: string;
  readonly file: string;
}

/** Sends the file over the standing peering for 6 s. @returns Mbit/s, without the first second. */
export async function peeringRate(lab: Lab, parcel: Parcel): Promise<number> {
  const transfer = await Transfer.start(lab, parcel);
  await transfer.reached(1);
  const fromMillis = monotonicMillis();
  await delay(PEERING_SAMPLE_MILLIS);
  const rateMbps = transfer.rateMbps(fromMillis + 1000, monotonicMillis());
  await transfer.abort();
  return rateMbps;
}

type CutFigures = Pick<
  DemoFigures,
  "meshMbps" | "meshMbpsAfterCut" | "throughput" | "digestMatches" | "peeringMegabytesMeanwhile" | "detour"
> & { readonly gapMillis: number };

/** Sends the whole file over the mesh, and cuts the direct cable after 45 % of it. */
export async function transferWithCut(
  lab: Lab,
  hub: LabSite,
  { from, to, file }: Parcel,
  stream: Stream,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<CutFigures> {
  const { size } = await stat(file);
  const peeringBefore = await lab.readCounters({ fabric: lab.topology.peering.name, from, to });
  const transfer = await Transfer.start(lab, { from, to, file });
  await transfer.reached(size * 0.1);
  const steadyMillis = monotonicMillis();
  await transfer.reached(size * 0.45);
  const cutMillis = monotonicMillis();
  await lab.cut(from, to, { fabric: FABRIC });
  tell(`Cut the cable between ${from} and ${to} after 45 % of the file.`);
  const result = await transfer.done;
  const gapMillis = Math.round(interruption(stream.record(), cutMillis).maxGapMillis);
  const detour = await routeTo(hub, to);
  tell(
    `The transfer continued via ${detour?.pathNames.join(" → ") || "the standing peering"} after ${gapMillis} ms; the digest ${result.digestMatches ? "matches" : "DIFFERS"}.`,
  );
  const peeringAfter = await lab.readCounters({ fabric: lab.topology.peering.name, from, to });
  await lab.heal(from, to);
  await hub.until(async () => (await routeTo(hub, to))?.pathNames.length === 1 || undefined, signal);
  return {
    meshMbps: transfer.rateMbps(steadyMillis, cutMillis),
    meshMbpsAfterCut: transfer.rateMbps(cutMillis + 2000),
    throughput: {
      periodMillis: RATE_PERIOD_MILLIS,
      mbps: ratesMbps(transfer.progress, RATE_PERIOD_MILLIS),
      cutAtMillis: Math.round(cutMillis - transfer.progress[0]!.atMillis),
    },
    gapMillis,
    digestMatches: result.digestMatches,
    peeringMegabytesMeanwhile: (peeringAfter.bytes - peeringBefore.bytes) / 1e6,
    detour: detour?.pathNames ?? [],
  };
}

/** Cuts the cable in one direction. @returns ms without an arriving packet. */
export async function oneWayLossGap(
  lab: Lab,
  hub: LabSite,
  { from, to }: Parcel,
  stream: Stream,
  signal: AbortSignal,
): Promise<number> {
  const atMillis = monotonicMillis();
  await lab.cutOneWay(from, to, { fabric: FABRIC });
  await hub.until(async () => (await routeTo(hub, to))?.pathNames.length !== 1 || undefined, signal);
  await stream.arrival(monotonicMillis() + 1000);
  const gapMillis = Math.round(interruption(stream.record(), atMillis).maxGapMillis);
  await lab.heal(from, to);
  return gapMillis;
}
