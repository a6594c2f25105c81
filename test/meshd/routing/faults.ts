/** Random faults upon a simulated world, and what came of them. */
import { TRAFFIC_CLASSES } from "../../../agent/model/traffic-class.ts";
import { type Loop, type SimLink, Simulator } from "./simulator.ts";
import { randomWorld, untruths } from "./worlds.ts";

export interface FaultRun {
  readonly nodes: number;
  readonly faults: number;
  readonly loops: readonly Loop[];
  /** The longest time that news took through this world while it had faults. */
  readonly floodingMillis: number;
  /** What did not hold after the world had stood still. */
  readonly wrong: readonly string[];
}

const COMPUTE_MILLIS = 5;
/** Held improvements, one after the other, and figures said again calmly. */
const STANDSTILL_MILLIS = 15_000;

/**
 * `rough`: messages are lost and event loops stand still, too. Without, a loop must not outlast one flooding time;
 * with them it ends when the last one has heard.
 */
export function runFaults(nodes: number, count: number, rough: boolean, random: () => number): FaultRun {
  const world = new Simulator({
    ...randomWorld(nodes, Math.round(nodes * (1.5 + 2 * random())), random),
    classes: TRAFFIC_CLASSES,
    random,
    jitterMillis: 3,
    computeMillis: 200,
  });
  world.until(4_000);
  world.computeMillis = COMPUTE_MILLIS;
  world.loops.length = 0;
  let floodingMillis = 0;
  for (let fault = 0; fault < count; fault++) {
    strike(world, rough, random);
    for (const { id, alive } of world.nodes) {
      if (alive) floodingMillis = Math.max(floodingMillis, world.floodingMillis(id));
    }
    world.until(world.nowMillis + random() * 1_500);
  }
  for (const node of world.nodes) node.stalledUntil = 0;
  world.until(world.nowMillis + STANDSTILL_MILLIS);
  const permanent = world.openLoops.map(({ destination, trafficClass }) => `${trafficClass} ${destination}: a loop`);
  return { nodes, faults: count, loops: world.loops, floodingMillis, wrong: [...permanent, ...untruths(world)] };
}

function strike(world: Simulator, rough: boolean, random: () => number): void {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const link = pick(world.links);
  const node = pick(world.nodes);
  if (!link || !node) return;
  const kind = random();
  if (kind < 0.3) world.setUp(link, false);
  else if (kind < 0.5) heal(world, pick);
  else if (kind < 0.8) degrade(world, link, rough, random);
  else if (kind < 0.86 && rough) world.stall(node.id, 50 + random() * 400);
  else if (kind < 0.92) {
    node.exaggerates = node.exaggerates === 1 ? 1 + Math.floor(random() * 10) : 1;
    world.remeasure(node.id);
  } else if (node.alive) world.crash(node.id);
  else world.restart(node.id);
}

function heal(world: Simulator, pick: (list: readonly SimLink[]) => SimLink | undefined): void {
  const down = pick(world.links.filter(({ up, a, b }) => !up && world.node(a).alive && world.node(b).alive));
  if (down) world.setUp(down, true);
}

function degrade(world: Simulator, link: SimLink, rough: boolean, random: () => number): void {
  const what = random();
  if (what < 0.4) link.rttMicros = 500 + Math.round(random() * 60_000);
  else if (what < 0.7 && rough) link.lossPpm = Math.round(random() ** 3 * 300_000);
  else link.kbps = 1_000 + Math.round(random() * 200_000);
  for (const end of [link.a, link.b]) world.remeasure(end);
}
