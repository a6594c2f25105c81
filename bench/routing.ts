/**
 * Failover and stability, side by side: ours, babeld, FRR's OSPF with BFD, on the same lab with the same faults and the same
 * stream of probes (docs/BENCHMARKS.md). Each system gets a fresh lab per kind of fault. What runs without being asked for takes a
 * quarter of an hour: three systems, three runs of each fault.
 *   scripts/bench routing [--json FILE] [--runs N] [--systems ours,babeld-0.2,…] [--faults cut,down,…] [--verbose]
 */
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import Table from "cli-table3";
import { EXIT } from "../agent/cli/exit-codes.ts";
import { EphemeshError } from "../agent/model/errors.ts";
import { monotonicMillis } from "../agent/model/time.ts";
import type { Lab } from "../lab/lab.ts";
import { JSON_FILE, optionsOf } from "../lab/options.ts";
import { withLab } from "../lab/with-lab.ts";
import { withoutPeering } from "./mesh/without-peering.ts";
import { FAULTS, type Fault } from "./routing/faults.ts";
import { type IdleCost, idleCost } from "./routing/idle.ts";
import { measure, settled, startStream } from "./routing/measure.ts";
import { LINK_SCENARIOS, TOPOLOGY } from "./routing/network.ts";
import { type PlannedEnds, plannedEnds } from "./routing/planned-ends.ts";
import { cell, median, type Run, summarise } from "./routing/summary.ts";
import { babeld } from "./routing/systems/babeld.ts";
import { ospfWithBfd } from "./routing/systems/frr.ts";
import { ours } from "./routing/systems/ours.ts";
import type { RoutingSystem, RunningSystem } from "./routing/systems/system.ts";

const SYSTEMS: readonly RoutingSystem[] = [babeld(1), babeld(0.2), ospfWithBfd(100), ospfWithBfd(50), ours(50)];
const IDLE_MILLIS = 30_000;

interface Measured {
  readonly system: string;
  readonly about: string;
  readonly idle: IdleCost | null;
  readonly orderly: PlannedEnds | null;
  readonly faults: Record<string, readonly Run[]>;
  readonly unsettled: Record<string, number>;
}

const options = optionsOf(
  {
    name: "scripts/bench routing",
    summary:
      "Failover and stability of ephemesh, babeld and FRR's OSPF with BFD, on the same lab with the same faults.",
    duration: "about 17 minutes: three systems, three runs of each fault",
    needs: "root, and babeld and FRR, which scripts/bootstrap bench installs",
  },
  {
    json: JSON_FILE,
    runs: { type: "string", default: "3", wholeNumber: true, description: "runs of each fault" },
    systems: {
      type: "string",
      placeholder: "NAME,…",
      default: "babeld-0.2,ospf-50,ours",
      description: `of ${SYSTEMS.map(({ name }) => name).join(", ")}`,
    },
    faults: {
      type: "string",
      placeholder: "NAME,…",
      default: FAULTS.map(({ name }) => name).join(","),
      description: "faults to inject",
    },
    verbose: { type: "boolean", default: false, description: "print each run" },
  },
);
const systems = chosen(options.systems, SYSTEMS);
const faults = chosen(options.faults, FAULTS);
const runs = Number(options.runs);
const loadBefore = loadavg();
const began = monotonicMillis();

const measured: Measured[] = [];
for (const system of systems) measured.push(await measureSystem(system));
report(measured);

async function measureSystem(system: RoutingSystem): Promise<Measured> {
  const found: Record<string, Run[]> = {};
  const unsettled: Record<string, number> = {};
  const { idle, orderly } = await inFreshLab(system, async (lab, running) => {
    const cost = await unlessUnsettled(async () => {
      await settledOnce(lab);
      return idleCost(running, IDLE_MILLIS);
    });
    const ends = running.orderly;
    return { idle: cost, orderly: ends ? await unlessUnsettled(() => plannedEnds(lab, ends)) : null };
  });
  for (const fault of faults) {
    found[fault.name] = [];
    const perLab = fault.spoils ? 1 : runs;
    for (let done = 0; done < runs; done += perLab) {
      await inFreshLab(system, async (lab, running) => {
        for (let run = done; run < done + perLab; run++) {
          const result = await unlessUnsettled(() => once(lab, running, fault, run));
          if (result) found[fault.name]!.push(result);
          else unsettled[fault.name] = (unsettled[fault.name] ?? 0) + 1;
        }
      });
    }
    if (options.verbose) console.error(system.name, fault.name, JSON.stringify(found[fault.name]));
    else console.error(`${system.name}: ${fault.title}: ${cell(summarise(found[fault.name]!, fault.measure))}`);
  }
  return { system: system.name, about: system.about, idle, orderly, faults: found, unsettled };
}

/** Null if traffic did not settle on its shortest path: the run is left out and reported. */
async function unlessUnsettled<T>(body: () => Promise<T>): Promise<T | null> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof EphemeshError && error.code === "BENCH_NOT_SETTLED") return null;
    throw error;
  }
}

async function once(lab: Lab, system: RunningSystem, fault: Fault, run: number): Promise<Run> {
  const scenario = fault.scenarios[run % fault.scenarios.length]!;
  const result = await measure({ lab, system, scenario }, fault);
  if (!fault.spoils) {
    await lab.heal();
    if (fault.name === "down") await system.raise(scenario.path[0]!, scenario.path[1]!);
  }
  return result;
}

async function inFreshLab<T>(
  system: RoutingSystem,
  body: (lab: Lab, running: RunningSystem) => Promise<T>,
): Promise<T> {
  return withLab({ topology: TOPOLOGY }, async (lab) => {
    await withoutPeering(lab);
    return body(lab, await system.start(lab));
  });
}

async function settledOnce(lab: Lab): Promise<void> {
  const scenario = LINK_SCENARIOS[0]!;
  const stream = await startStream(lab, scenario);
  try {
    await settled(stream, scenario);
  } finally {
    await stream.stop(0);
  }
}

function chosen<T extends { readonly name: string }>(names: string, known: readonly T[]): readonly T[] {
  const wanted = names.split(",");
  const unknown = wanted.filter((name) => !known.some((each) => each.name === name));
  if (unknown.length > 0) {
    console.error(`scripts/bench routing: no "${unknown}"; there are ${known.map((each) => each.name).join(", ")}`);
    process.exit(EXIT.usage);
  }
  return known.filter(({ name }) => wanted.includes(name));
}

function report(all: readonly Measured[]): void {
  const table = new Table({
    head: ["fault", "alternate", ...all.map(({ system }) => system), "ours: goal"],
    style: { head: [], border: [] },
  });
  for (const fault of faults) {
    for (const alternate of [true, false]) {
      const of = ({ faults: found }: Measured) => found[fault.name]!.filter((run) => run.alternate === alternate);
      table.push([
        fault.title,
        alternate ? "yes" : "no",
        ...all.map((each) => cell(summarise(of(each), fault.measure))),
        `${fault.goal[0]} (${fault.goal[1]})`,
      ]);
    }
    if (!fault.countsRouteEvents) continue;
    const events = ({ faults: found }: Measured) => {
      const counted = found[fault.name]!.map((run) => run.routeEvents ?? 0).toSorted((a, b) => a - b);
      return counted.length === 0 ? "–" : `${median(counted)} (${counted.at(-1)})`;
    };
    table.push(["  route events", "both", ...all.map(events), "≤ 12"]);
  }
  const idle = (figure: (cost: IdleCost) => string) => all.map(({ idle: cost }) => (cost ? figure(cost) : "–"));
  table.push(["control traffic, kbit/s per node", "", ...idle((cost) => cost.controlKbps.toFixed(1)), "≤ 45"]);
  table.push(["CPU, % of a core per node", "", ...idle((cost) => cost.cpuPercent.toFixed(2)), "≤ 2"]);
  const ends = (figure: (of: PlannedEnds) => number) =>
    all.map(({ orderly }) => (orderly ? String(figure(orderly)) : "–"));
  table.push(["packets lost when a router process restarts", "", ...ends((of) => of.restartLost), "0"]);
  table.push(["packets lost when a lease ends", "", ...ends((of) => of.leaseEndLost), "0"]);
  console.log(table.toString());
  const load = { before: loadBefore, after: loadavg() };
  const minutes = (monotonicMillis() - began) / 60_000;
  const word = (averages: readonly number[]) => averages[0]!.toFixed(1);
  console.log(
    `Milliseconds, median (worst) of ${runs} runs. Load average ${word(load.before)} before, ${word(load.after)} after; ${minutes.toFixed(0)} min.`,
  );
  for (const { system, unsettled } of all)
    for (const [fault, count] of Object.entries(unsettled))
      console.log(
        `${system}: ${count} of ${runs} runs of "${fault}" left out, traffic had not come back to its shortest path.`,
      );
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ runs, load, minutes, measured: all }, null, 2)}\n`);
}
