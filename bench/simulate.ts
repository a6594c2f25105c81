/**
 * Routing in the simulator, with the code that runs in meshd: convergence after a cut, loops, control traffic,
 * time per computation, and random faults. `--json FILE` writes the figures, `--faults N` says how many random faults
 * (half of them on graphs of 50 nodes and more), `--cuts N` how many cuts for each size.
 *
 * A route is computed 10 ms of simulated time after the event that triggers it, which is longer than a computation takes.
 */
import { writeFileSync } from "node:fs";
import Table from "cli-table3";
import { TRAFFIC_CLASSES, type TrafficClass } from "../agent/model/traffic-class.ts";
import { JSON_FILE, optionsOf } from "../lab/options.ts";
import { type FaultRun, runFaults } from "../test/meshd/routing/faults.ts";
import { type SimLink, Simulator } from "../test/meshd/routing/simulator.ts";
import { randomOf, randomWorld } from "../test/meshd/routing/worlds.ts";

const SIZES = [
  [10, 20],
  [20, 50],
  [50, 200],
  [100, 450],
  [200, 1_000],
] as const;
const COMPUTE_MILLIS = 10;
const GOAL_BEYOND_FLOODING_MILLIS = 50;
const GOAL_COMPUTATION_MILLIS = 10;
const FAULTS_A_WORLD = 30;

const values = optionsOf(
  {
    name: "scripts/bench simulate",
    summary:
      "Routing in the simulator with meshd's own code: convergence, loops, control traffic, time per computation.",
    duration: "about 7 minutes",
    needs: "nothing else",
  },
  {
    json: JSON_FILE,
    faults: {
      type: "string",
      default: "600",
      wholeNumber: true,
      description: "random faults, half of them on graphs of 50 nodes and more",
    },
    cuts: { type: "string", default: "10", wholeNumber: true, description: "cuts for each size of graph" },
    seed: { type: "string", default: "1", wholeNumber: true, description: "of the random graphs and faults" },
  },
);
const seed = Number(values.seed);

const sizes = SIZES.map(([nodes, links]) => convergence(nodes, links, Number(values.cuts)));
const faults = randomFaults(Number(values.faults));
report();

function convergence(nodes: number, links: number, cuts: number) {
  const random = randomOf(seed * 1_000 + nodes);
  // At the start many advertisements share one computation; the start is not measured.
  const world = new Simulator({
    ...randomWorld(nodes, links, random),
    classes: TRAFFIC_CLASSES,
    detectMillis: 0,
    computeMillis: 500,
  });
  world.until(6_000);
  world.computeMillis = COMPUTE_MILLIS;
  world.computations.length = 0;
  world.loops.length = 0;
  const beyond: number[] = [];
  let atOnce = 0;
  let bytesOfCuts = 0;
  for (let cut = 0; cut < cuts; cut++) {
    const link = world.links[Math.floor(random() * world.links.length)];
    if (!link) continue;
    const before = world.bytes;
    const { badMillis, floodingMillis, isStranded } = cutAndHeal(world, link);
    bytesOfCuts += world.bytes - before;
    if (isStranded) continue;
    if (badMillis === 0) atOnce++;
    beyond.push(badMillis - floodingMillis);
  }
  const computations = [...world.computations];
  const idle = { bytes: world.bytes, millis: world.nowMillis };
  world.computeMillis = 500;
  world.until(world.nowMillis + 35_000);
  return {
    nodes,
    links: world.links.length,
    cuts: beyond.length,
    beyondFloodingMillis: { median: quantile(beyond, 0.5), worst: Math.max(...beyond) },
    repairedAtOnce: atOnce,
    loops: world.loops.length,
    maxLoopMillis: Math.max(0, ...world.loops.map((loop) => loop.lastedMillis)),
    bytesPerNodeAndCut: Math.round(bytesOfCuts / cuts / nodes),
    idleKbitPerNode: ((world.bytes - idle.bytes) * 8) / (world.nowMillis - idle.millis) / nodes,
    // The kernel counts processor time in steps of a few milliseconds: so the mean of many computations is exact, a quantile is not.
    computationMillis: computations.reduce((sum, each) => sum + each, 0) / computations.length,
    computations: computations.length,
  };
}

/** Time during which not all packets that used the link arrived, from when its ends noticed the cut. */
function cutAndHeal(world: Simulator, link: SimLink) {
  const affected = flowsOver(world, link);
  const allArrive = (): boolean =>
    affected.every(({ sources, destination, trafficClass }) => world.allArrive(sources, destination, trafficClass));
  const cutAt = world.nowMillis;
  world.setUp(link, false);
  const floodingMillis = Math.max(world.floodingMillis(link.a), world.floodingMillis(link.b));
  let badMillis = 0;
  let isWell = false;
  let looks = false;
  // Once for all changes at one instant.
  world.onRoutes = () => {
    if (!looks) world.at(world.nowMillis, look);
    looks = true;
  };
  const look = (): void => {
    looks = false;
    const wasWell = isWell;
    isWell = allArrive();
    if (isWell && !wasWell) badMillis = world.nowMillis - cutAt;
  };
  world.until(cutAt + 400);
  world.onRoutes = () => {};
  // A node that the cut isolates has no path.
  const isStranded = !isWell;
  world.until(cutAt + 3_000);
  world.setUp(link, true);
  world.until(world.nowMillis + 3_000);
  return { badMillis, floodingMillis, isStranded };
}

interface Flows {
  readonly sources: number[];
  readonly destination: number;
  readonly trafficClass: TrafficClass;
}

function flowsOver(world: Simulator, link: SimLink): readonly Flows[] {
  const flows = new Map<string, Flows>();
  for (const { id, core } of world.nodes) {
    for (const { destination, trafficClass, bucketGroups } of core.routes) {
      const { path } = world.walk(id, destination, trafficClass);
      const isOver = path.some((node, k) => {
        const next = path[k + 1];
        return (node === link.a && next === link.b) || (node === link.b && next === link.a);
      });
      if (!isOver && !bucketGroups.includes(link.tag)) continue;
      const key = `${trafficClass}/${destination}`;
      const known = flows.get(key) ?? { sources: [], destination, trafficClass };
      known.sources.push(id);
      flows.set(key, known);
    }
  }
  return [...flows.values()];
}

function randomFaults(count: number) {
  const random = randomOf(seed);
  const worlds = Math.ceil(count / FAULTS_A_WORLD);
  const runs: (FaultRun & { readonly rough: boolean })[] = [];
  for (let world = 0; world < worlds; world++) {
    // Two worlds with few and two with many faults in turn, each small once and large once.
    const nodes = world % 2 === 0 ? 6 + Math.floor(random() * 25) : 50 + Math.floor(random() * 11);
    const rough = world % 4 >= 2;
    runs.push({ ...runFaults(nodes, FAULTS_A_WORLD, rough, random), rough });
    process.stderr.write(`\r${runs.length} of ${worlds} worlds`);
  }
  process.stderr.write("\n");
  const of = (chosen: typeof runs) => ({
    worlds: chosen.length,
    faults: chosen.reduce((sum, run) => sum + run.faults, 0),
    faultsOnFiftyNodesAndMore: chosen.filter((run) => run.nodes >= 50).reduce((sum, run) => sum + run.faults, 0),
    permanentLoops: chosen.flatMap((run) => run.wrong).filter((what) => what.endsWith("loop")).length,
    otherwiseWrong: chosen.flatMap((run) => run.wrong).filter((what) => !what.endsWith("loop")).length,
    transientLoops: chosen.reduce((sum, run) => sum + run.loops.length, 0),
    loopsBeyondFlooding: chosen.reduce(
      (sum, run) => sum + run.loops.filter((loop) => loop.lastedMillis > run.floodingMillis).length,
      0,
    ),
    maxLoopMillis: Math.max(0, ...chosen.flatMap((run) => run.loops.map((loop) => loop.lastedMillis))),
  });
  return { calm: of(runs.filter((run) => !run.rough)), rough: of(runs.filter((run) => run.rough)) };
}

function quantile(list: readonly number[], share: number): number {
  const sorted = list.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function report(): void {
  const table = new Table({
    head: [
      "nodes/links",
      "beyond flooding, ms\nmedian (worst)",
      "at once",
      "loops\n(longest, ms)",
      "bytes per\nnode and cut",
      "idle kbit/s\nper node",
      "computation,\nms (mean of)",
    ],
    style: { head: [], border: [] },
  });
  for (const row of sizes) {
    table.push([
      `${row.nodes}/${row.links}`,
      `${row.beyondFloodingMillis.median.toFixed(0)} (${row.beyondFloodingMillis.worst.toFixed(0)})`,
      `${row.repairedAtOnce} of ${row.cuts}`,
      `${row.loops} (${row.maxLoopMillis.toFixed(0)})`,
      row.bytesPerNodeAndCut.toLocaleString("en"),
      row.idleKbitPerNode.toFixed(2),
      `${row.computationMillis.toFixed(1)} (${row.computations.toLocaleString("en")})`,
    ]);
  }
  console.log(table.toString());
  console.log(
    `Goals: at most ${GOAL_BEYOND_FLOODING_MILLIS} ms beyond one flooding time, ${GOAL_COMPUTATION_MILLIS} ms for one computation of one buyer's three classes. Negative: over before the news had reached everybody.`,
  );
  for (const [kind, run] of Object.entries(faults)) {
    console.log(
      `${kind} faults: ${run.faults} in ${run.worlds} worlds (${run.faultsOnFiftyNodesAndMore} on 50 nodes and more): ${run.permanentLoops} permanent loops, ${run.otherwiseWrong} routes unlike the oracle's, ${run.transientLoops} transient loops, ${run.loopsBeyondFlooding} longer than one flooding time, longest ${run.maxLoopMillis.toFixed(0)} ms`,
    );
  }
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ sizes, faults }, null, 2)}\n`);
}
