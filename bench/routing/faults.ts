/** What is done to the network, one way for every system. */
import { setTimeout as delay } from "node:timers/promises";
import type { Lab } from "../../lab/lab.ts";
import { run } from "../../lab/run.ts";
import { LINK_SCENARIOS, NODE_SCENARIOS, ONE_WAY_MILLIS, PAIR_MBPS, regionName, type Scenario } from "./network.ts";
import type { Measure } from "./summary.ts";
import type { RunningSystem } from "./systems/system.ts";

export interface Scene {
  readonly lab: Lab;
  readonly system: RunningSystem;
  readonly scenario: Scenario;
}

export interface FaultContext {
  /** Of the tunnel where the stream leaves its first node: asked before, so that only the fault is timed. */
  readonly device: string;
  readonly signal: AbortSignal;
}

export interface Fault {
  readonly name: string;
  readonly title: string;
  readonly measure: Measure;
  /** Goal for median and worst, in milliseconds (docs/BENCHMARKS.md#goals). */
  readonly goal: readonly [median: number, worst: number];
  readonly scenarios: readonly Scenario[];
  /** How long traffic is watched: for a recovery at most, for bad time exactly. */
  readonly watchMillis: number;
  /** How much later than before a packet may come and still be good; absent: 80 ms. */
  readonly goodExtraMillis?: number;
  /** Bulk from host to host beside the stream. */
  readonly loadMbps?: number;
  /** The network cannot be fixed in place: the next run gets a fresh one. */
  readonly spoils?: boolean;
  readonly countsRouteEvents?: boolean;
  /** Returns when the fault is there; what it does after that ends with the signal. */
  apply(scene: Scene, context: FaultContext): Promise<void>;
}

const FLAPS_FOR_MILLIS = 20_000;

export const FAULTS: readonly Fault[] = [
  {
    name: "cut",
    title: "silent loss both ways",
    measure: "recovery",
    goal: [150, 250],
    scenarios: LINK_SCENARIOS,
    watchMillis: 15_000,
    apply: ({ lab, scenario }) => lab.cut(...firstLink(scenario)),
  },
  {
    name: "one-way",
    title: "silent loss one way",
    measure: "recovery",
    goal: [150, 250],
    scenarios: LINK_SCENARIOS,
    watchMillis: 15_000,
    apply: ({ lab, scenario }) => lab.cutOneWay(...firstLink(scenario)),
  },
  {
    name: "node",
    title: "node killed",
    measure: "recovery",
    goal: [150, 250],
    scenarios: NODE_SCENARIOS,
    watchMillis: 15_000,
    spoils: true,
    apply: ({ lab, scenario }) => lab.killRegion(regionName(scenario.path[1]!)),
  },
  {
    name: "down",
    title: "interface down at one end",
    measure: "recovery",
    goal: [25, 150],
    scenarios: LINK_SCENARIOS,
    watchMillis: 15_000,
    apply: async ({ lab, scenario: { path } }, { device }) => {
      await run(["ip", "-netns", lab.namespace(regionName(path[0]!)), "link", "set", device, "down"]);
    },
  },
  {
    name: "loss",
    title: "30 % loss",
    measure: "recovery",
    goal: [600, 1_000],
    scenarios: LINK_SCENARIOS,
    watchMillis: 15_000,
    apply: ({ lab, scenario }) => lab.lose(...firstLink(scenario), 300_000),
  },
  {
    name: "delay",
    title: "round trip 10 → 120 ms",
    measure: "recovery",
    goal: [300, 600],
    scenarios: LINK_SCENARIOS,
    watchMillis: 6_000,
    // The stream goes one way, and 55 ms more is what it sees of it.
    goodExtraMillis: 40 - ONE_WAY_MILLIS,
    apply: ({ lab, scenario }) => lab.delay(...firstLink(scenario), 120),
  },
  {
    name: "capacity",
    title: "capacity to a tenth: bad time",
    measure: "badTime",
    goal: [1_000, 2_000],
    scenarios: LINK_SCENARIOS,
    watchMillis: 12_000,
    loadMbps: 4,
    apply: ({ lab, scenario }) => lab.limit(...firstLink(scenario), PAIR_MBPS / 10),
  },
  {
    name: "flap",
    title: "1 s down, 1 s up, 20 s: bad time",
    measure: "badTime",
    goal: [700, 700],
    scenarios: LINK_SCENARIOS,
    watchMillis: FLAPS_FOR_MILLIS + 2_000,
    countsRouteEvents: true,
    apply: async ({ lab, scenario }, { signal }) => {
      const ends = firstLink(scenario);
      await lab.cut(...ends);
      void flapOn(lab, ends, signal);
    },
  },
];

/** After the first cut, until 20 s are over. */
async function flapOn(lab: Lab, ends: readonly [string, string], signal: AbortSignal): Promise<void> {
  try {
    for (let second = 1; second <= FLAPS_FOR_MILLIS / 1000; second++) {
      await delay(1_000, undefined, { signal });
      await (second % 2 === 1 ? lab.heal(...ends) : lab.cut(...ends));
    }
    await lab.heal(...ends);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function firstLink({ path }: Scenario): readonly [string, string] {
  return [regionName(path[0]!), regionName(path[1]!)];
}
