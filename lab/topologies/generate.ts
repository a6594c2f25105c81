/**
 * Generates six-clouds.json from measured data: `node lab/topologies/generate.ts > lab/topologies/six-clouds.json`.
 *
 * The three other European regions are within 40 ms of Frankfurt, all six within 110 ms. London and Dublin are on the way
 * between the continents, so a detour via them costs only a few milliseconds.
 */
import { readFile } from "node:fs/promises";
import { distanceKm, placeOf } from "../../agent/model/region.ts";
import { parseTopology, type Topology } from "../layout/topology.ts";

const REGIONS = ["eu-central-1", "eu-west-1", "eu-west-2", "eu-north-1", "us-east-1", "ca-central-1"] as const;
const LIGHT_IN_FIBRE_KM_PER_MS = 200;
const EUROPE = REGIONS.filter((region) => region.startsWith("eu-"));

async function readCsv(name: string): Promise<readonly (readonly string[])[]> {
  const text = await readFile(new URL(`./data/${name}`, import.meta.url), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(","));
}

export async function sixClouds(): Promise<Topology> {
  const [header = [], ...rows] = await readCsv("aws_rtt_p50_ms.csv");
  const rttMillis = REGIONS.map((from) =>
    REGIONS.map((to) => (from === to ? 0 : Number(rows.find((row) => row[0] === from)?.[header.indexOf(to)]))),
  );
  const places = await readCsv("cloud_regions.csv");
  const regions = REGIONS.map((name) => {
    const [, , city = "", , latitude, longitude] = places.find((row) => row[0] === "aws" && row[1] === name) ?? [];
    return { name, city, latitude: Number(latitude), longitude: Number(longitude) };
  });
  const topology = parseTopology(
    {
      name: "six-clouds",
      about:
        "Six AWS regions: measured median round-trip times and coordinates (data/README.md); the rates are the lab's own.",
      regions,
      peering: { name: "peering", sharedMbps: 20, queueMillis: 100, mtu: 1500 },
      fabrics: [
        { name: "ix-atlantic", pairMbps: 400, queueMillis: 50, mtu: 1500 },
        { name: "ix-europe", pairMbps: 400, queueMillis: 50, mtu: 1500, members: EUROPE },
      ],
      rttMillis,
    },
    "the generated topology",
  );
  refuseFasterThanLight(topology);
  return topology;
}

function refuseFasterThanLight(topology: Topology): void {
  for (const [row, from] of topology.regions.entries())
    for (const [column, to] of topology.regions.entries()) {
      if (row === column) continue;
      const minMillis =
        (2 * distanceKm(placeOf(from.latitude, from.longitude), placeOf(to.latitude, to.longitude))) /
        LIGHT_IN_FIBRE_KM_PER_MS;
      const rttMillis = topology.rttMillis[row]![column]!;
      if (rttMillis < minMillis) {
        throw new RangeError(
          `${from.name} to ${to.name}: ${rttMillis} ms, but light in fibre takes ${minMillis.toFixed(1)} ms`,
        );
      }
    }
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await sixClouds(), null, 1)}\n`);
