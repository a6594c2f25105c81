/** The cost of a system at rest: control traffic inside the tunnels, and processor time. */
import { setTimeout as delay } from "node:timers/promises";
import { cpuMillis, deviceCounts } from "../mesh/usage.ts";
import type { RunningSystem } from "./systems/system.ts";

export interface IdleCost {
  /** Sent by one node over all its tunnels, as inner packets; mean of the nodes. */
  readonly controlKbps: number;
  /** Of one core, per node; mean of the nodes. The tunnels' own processes are not in it. */
  readonly cpuPercent: number;
}

const TUNNEL = /^(t\d+|eph[0-9a-f]{12})$/;

export async function idleCost(system: RunningSystem, windowMillis: number): Promise<IdleCost> {
  const nodes = [...system.daemons.values()];
  const read = async () => ({
    atMillis: performance.now(),
    bytes: (await Promise.all(nodes.map((pids) => tunnelBytes(pids[0]!)))).reduce((sum, bytes) => sum + bytes, 0),
    cpu: await cpuMillis(nodes.flat()),
  });
  const before = await read();
  await delay(windowMillis);
  const after = await read();
  const elapsed = after.atMillis - before.atMillis;
  return {
    controlKbps: (8 * (after.bytes - before.bytes)) / elapsed / nodes.length,
    cpuPercent: (100 * (after.cpu - before.cpu)) / elapsed / nodes.length,
  };
}

async function tunnelBytes(pid: number): Promise<number> {
  const counts = [...(await deviceCounts(pid))].filter(([device]) => TUNNEL.test(device));
  return counts.reduce((sum, [, { sentBytes }]) => sum + sentBytes, 0);
}
