/**
 * What an ENI carries and costs, beside WireGuard set up by hand in the same run (docs/BENCHMARKS.md#goals).
 *   scripts/bench tunnel [--json FILE] [--rounds N] [--enis N] [--only throughput,shaping,…]
 */
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import Table from "cli-table3";
import { EXIT } from "../agent/cli/exit-codes.ts";
import { JSON_FILE, optionsOf } from "../lab/options.ts";
import type { Figure } from "./tunnel/figure.ts";
import { firstPacket } from "./tunnel/first-packet.ts";
import { manyEnis } from "./tunnel/many.ts";
import { priority } from "./tunnel/priority.ts";
import { shaping } from "./tunnel/shaping.ts";
import { throughput } from "./tunnel/throughput.ts";
import { twoPaths } from "./tunnel/two-paths.ts";

const PART_NAMES = ["throughput", "shaping", "priority", "first-packet", "two-paths", "many"] as const;
const options = optionsOf(
  {
    name: "scripts/bench tunnel",
    summary: "What an ephemeral network interface (ENI) carries and costs, beside WireGuard set up by hand.",
    duration: "about 4 minutes",
    needs: "root, and iperf3, which scripts/bootstrap bench installs",
  },
  {
    json: JSON_FILE,
    rounds: {
      type: "string",
      default: "5",
      wholeNumber: true,
      description: "repetitions of throughput and first-packet",
    },
    enis: { type: "string", default: "100", wholeNumber: true, description: "ENIs of the part `many`" },
    only: {
      type: "string",
      placeholder: "PART,…",
      default: PART_NAMES.join(","),
      description: "parts to measure",
    },
  },
);
const rounds = Number(options.rounds);
const PARTS: Readonly<Record<(typeof PART_NAMES)[number], () => Promise<readonly Figure[]>>> = {
  throughput: () => throughput(rounds),
  shaping,
  priority,
  "first-packet": () => firstPacket(rounds),
  "two-paths": twoPaths,
  many: () => manyEnis(Number(options.enis)),
};
const names = options.only.split(",");
const wanted = PART_NAMES.filter((name) => names.includes(name));
const unknown = names.filter((name) => !PART_NAMES.some((known) => known === name));
if (unknown.length > 0) {
  console.error(`scripts/bench tunnel: no part "${unknown}"; there are ${PART_NAMES.join(", ")}`);
  process.exit(EXIT.usage);
}

const before = loadavg();
const figures: Figure[] = [];
for (const name of wanted) {
  console.error(`tunnel: ${name}`);
  figures.push(...(await PARTS[name]()));
}

const table = new Table({ head: ["what", "measured", "goal", "", "beside it"], style: { head: [], border: [] } });
for (const { what, measured, unit, goal, met, beside } of figures) {
  const digits = unit === "×" ? 2 : Math.abs(measured) < 100 ? 1 : 0;
  const verdict = met === null ? "" : met ? "met" : "NOT MET";
  table.push([what, `${measured.toFixed(digits)} ${unit}`.trim(), goal, verdict, beside]);
}
console.log(table.toString());
console.log(`Load average ${before[0]!.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after.`);
if (options.json) writeFileSync(options.json, `${JSON.stringify({ before, after: loadavg(), figures }, null, 2)}\n`);
