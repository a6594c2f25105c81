/** One run of a fault: waits until the stream is on its shortest path, causes the fault, and measures the interruption. */
import { setTimeout as delay } from "node:timers/promises";
import { EphemeshError } from "../../agent/model/errors.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import type { Lab } from "../../lab/lab.ts";
import { hostAddress } from "../../lab/layout/addressing.ts";
import { hostOf } from "../../lab/layout/place.ts";
import type { LabProcess } from "../../lab/process/lab-process.ts";
import { interruption } from "../../lab/traffic/arrivals.ts";
import { Stream } from "../../lab/traffic/stream.ts";
import type { Fault, Scene } from "./faults.ts";
import { NODES, ONE_WAY_MILLIS, regionName, type Scenario } from "./network.ts";
import { isOfStreamClass, STREAM_DSCP } from "./stream-class.ts";
import { type Run, routeEvents } from "./summary.ts";

const SETTLES_WITHIN_MILLIS = 60_000;
const INTERVAL_MILLIS = 20;
const LOOK_MILLIS = 150;
/** A detour is at least one link longer. */
const SAME_PATH_MILLIS = ONE_WAY_MILLIS / 2;
const STREAM_PORT = 7000;
const LOAD_FLOWS = 8;

export async function measure(scene: Scene, fault: Fault): Promise<Run> {
  const { lab, scenario } = scene;
  const stream = await startStream(lab, scenario);
  const load = fault.loadMbps === undefined ? null : await startLoad(lab, scenario, fault.loadMbps);
  const watching = fault.countsRouteEvents ? watchRoutes(lab) : null;
  const over = new AbortController();
  try {
    await settled(stream, scenario);
    const eventsBefore = watching?.count() ?? 0;
    const device = await scene.system.device(scenario.path[0]!, scenario.path[1]!);
    const faultAt = monotonicMillis();
    await fault.apply(scene, { device, signal: over.signal });
    await watch(stream, fault, faultAt);
    const events = watching ? watching.count() - eventsBefore : null;
    const found = interruption(await stream.stop(), faultAt, fault.goodExtraMillis);
    return {
      alternate: scenario.alternate,
      recoveredMillis: found.recoveredMillis,
      badMillis: found.badMillis,
      lostPackets: found.lost,
      routeEvents: events,
    };
  } finally {
    over.abort();
    await Promise.all([...(load ?? []), ...(watching?.processes ?? [])].map((process) => process.stop()));
    await stream.stop(0).catch(() => undefined);
  }
}

/** Voice, as its packets' size is: marked in the host, as a telephone would. */
export async function startStream(lab: Lab, scenario: Scenario): Promise<Stream> {
  const [from, to] = [regionName(scenario.from), regionName(scenario.to)];
  const rules = `table inet stream
delete table inet stream
table inet stream {
  chain voice { type filter hook output priority mangle; udp dport ${STREAM_PORT} ip dscp set ${STREAM_DSCP}; }
}
`;
  await lab.exec(hostOf(from), ["nft", "-f", "-"], { input: rules });
  return Stream.start(lab, { from, to, intervalMillis: INTERVAL_MILLIS, port: STREAM_PORT });
}

/** Until a whole second has flowed well over the shortest path, which its delay alone has. */
export async function settled(stream: Stream, scenario: Scenario): Promise<void> {
  const expected = ONE_WAY_MILLIS * (scenario.path.length - 1);
  const packets = 1000 / INTERVAL_MILLIS;
  for (const until = monotonicMillis() + SETTLES_WITHIN_MILLIS; monotonicMillis() < until; await delay(LOOK_MILLIS)) {
    const since = monotonicMillis() - 1000 - 2 * expected;
    const recent = stream.record().arrivals.filter(({ sentMillis }) => sentMillis >= since);
    const delays = recent
      .map(({ sentMillis, receivedMillis }) => receivedMillis - sentMillis)
      .toSorted((a, b) => a - b);
    const middle = delays[Math.floor(delays.length / 2)] ?? Number.POSITIVE_INFINITY;
    if (recent.length >= packets - 1 && middle >= expected && middle < expected + SAME_PATH_MILLIS) return;
  }
  throw new EphemeshError(
    "BENCH_NOT_SETTLED",
    `Traffic from ${scenario.from} to ${scenario.to} did not flow over ${scenario.path.join(" → ")} within ${SETTLES_WITHIN_MILLIS / 1000} s.`,
    "The machine may be too busy for the figures to mean anything; run it again when it is not.",
    { retryable: true },
  );
}

async function watch(stream: Stream, fault: Fault, faultAt: number): Promise<void> {
  const until = faultAt + fault.watchMillis;
  while (monotonicMillis() < until) {
    await delay(Math.min(LOOK_MILLIS, Math.max(1, until - monotonicMillis())));
    if (fault.measure === "badTime" || monotonicMillis() < faultAt + 1_200) continue;
    if (interruption(stream.record(), faultAt, fault.goodExtraMillis).recoveredMillis !== null) return;
  }
}

async function startLoad(lab: Lab, { from, to }: Scenario, mbps: number): Promise<readonly LabProcess[]> {
  const server = lab.spawnIn(hostOf(regionName(to)), ["iperf3", "--server", "--forceflush"]);
  await server.line(/listening/i);
  const address = hostAddress(to).ipv4;
  // Several flows, because ours spreads them by their hash over what leads there.
  const each = ["--parallel", String(LOAD_FLOWS), "--bandwidth", `${(mbps * 1000) / LOAD_FLOWS}K`];
  const args = ["--client", address, "--udp", "--length", "1200", ...each, "--time", "600"];
  const client = lab.spawnIn(hostOf(regionName(from)), ["iperf3", "--forceflush", ...args]);
  await client.line(/connected/);
  return [client, server];
}

function watchRoutes(lab: Lab): { readonly processes: readonly LabProcess[]; count(): number } {
  const lines: string[] = [];
  const processes = NODES.map((at) => {
    const monitor = lab.spawnIn(regionName(at), ["ip", "-o", "monitor", "route", "nexthop"]);
    monitor.onLine((line) => lines.push(line));
    return monitor;
  });
  return { processes, count: () => routeEvents(lines, isOfStreamClass) };
}
