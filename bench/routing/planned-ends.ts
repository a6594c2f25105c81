/** Packets lost when a router process restarts, and when a lease ends: both are announced and must lose none. */
import { monotonicMillis } from "../../agent/model/time.ts";
import type { Lab } from "../../lab/lab.ts";
import { settled, startStream } from "./measure.ts";
import { LINK_SCENARIOS, NODE_SCENARIOS, type Scenario } from "./network.ts";
import type { RunningSystem } from "./systems/system.ts";

export interface PlannedEnds {
  readonly restartLost: number;
  readonly leaseEndLost: number;
}

export async function plannedEnds(lab: Lab, ends: NonNullable<RunningSystem["orderly"]>): Promise<PlannedEnds> {
  const through = NODE_SCENARIOS[0]!;
  const restartLost = await lostWhile(lab, through, () => ends.restart(through.path[1]!));
  const link = LINK_SCENARIOS[0]!;
  const leaseEndLost = await lostWhile(lab, link, () => ends.endLease(link.path[0]!, link.path[1]!));
  return { restartLost, leaseEndLost };
}

async function lostWhile(lab: Lab, scenario: Scenario, end: () => Promise<void>): Promise<number> {
  const stream = await startStream(lab, scenario);
  try {
    await settled(stream, scenario);
    const since = monotonicMillis();
    await end();
    await stream.arrivalOf(monotonicMillis());
    const { startMillis, intervalMillis, sent, arrivals } = await stream.stop();
    const first = Math.ceil((since - startMillis) / intervalMillis);
    const arrived = new Set(arrivals.map(({ sequence }) => sequence).filter((sequence) => sequence >= first));
    return sent - first - arrived.size;
  } finally {
    await stream.stop(0).catch(() => undefined);
  }
}
