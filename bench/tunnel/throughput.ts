/** Unshaped: CPU cost of a lease that is faster than the machine, measured alternately with a tunnel made by hand. */
import { hostOf } from "../../lab/layout/place.ts";
import { processesInside } from "../../lab/process/processes.ts";
import { cpuMillis } from "../mesh/usage.ts";
import type { Figure } from "./figure.ts";
import { agreeLease, applyLease, flows, makeByHand, type Pair, withPair } from "./pair.ts";
import { middle, roundTrips, serve, tcpGoodput } from "./tools.ts";

const WIDE_MBPS = 10_000;
const SECONDS = 5;

interface Turn {
  readonly mbps: number;
  readonly cpuSecondsPerGigabyte: number;
}

export async function throughput(rounds: number): Promise<readonly Figure[]> {
  return withPair(0, async (pair) => {
    const { lab, mesh, addresses } = pair;
    await applyLease(mesh, await agreeLease(mesh, WIDE_MBPS, "wide"));
    await makeByHand(pair);
    const [host1 = "", host2 = ""] = lab.topology.regions.map(({ name }) => hostOf(name));
    for (const address of Object.values(addresses)) await flows(lab, host1, address);
    const server = await serve(lab, host2);
    const turns = { ours: [] as Turn[], byHand: [] as Turn[] };
    const trips = { ours: [] as number[], byHand: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      for (const who of round % 2 === 0 ? (["byHand", "ours"] as const) : (["ours", "byHand"] as const)) {
        turns[who].push(await turn(pair, host1, addresses[who]));
        trips[who].push(middle(await roundTrips(lab, host1, addresses[who], { count: 200, intervalSeconds: 0.005 })));
      }
    }
    await server.stop();
    const rate = { ours: middle(mbpsOf(turns.ours)), byHand: middle(mbpsOf(turns.byHand)) };
    const cost = { ours: middle(costOf(turns.ours)), byHand: middle(costOf(turns.byHand)) };
    const ratio = cost.ours / cost.byHand;
    const added = middle(trips.ours) - middle(trips.byHand);
    return [
      {
        name: "unshapedMbps",
        what: "unshaped TCP over an ENI",
        measured: rate.ours,
        unit: "Mbit/s",
        goal: "–",
        met: null,
        beside: `by hand ${rate.byHand.toFixed(0)} Mbit/s`,
      },
      {
        name: "cpuPerGigabyteRatio",
        what: "CPU seconds per GB against WireGuard by hand",
        measured: ratio,
        unit: "×",
        goal: "≤ 1.05",
        met: ratio <= 1.05,
        beside: `${cost.ours.toFixed(2)} s against ${cost.byHand.toFixed(2)} s`,
      },
      {
        name: "addedLatencyMicros",
        what: "round trip added to WireGuard by hand",
        measured: 1000 * added,
        unit: "µs",
        goal: "–",
        met: null,
        beside: `by hand ${(1000 * middle(trips.byHand)).toFixed(0)} µs`,
      },
    ];
  });
}

const mbpsOf = (turns: readonly Turn[]) => turns.map(({ mbps }) => mbps);
const costOf = (turns: readonly Turn[]) => turns.map(({ cpuSecondsPerGigabyte }) => cpuSecondsPerGigabyte);

/** All processes in the regions' namespaces count, also iperf3, whose system calls do the forwarding; the wire does not. */
async function turn({ lab }: Pair, host: string, address: string): Promise<Turn> {
  const pids = async () => {
    const routers = lab.topology.regions.map(({ name }) => lab.namespace(name));
    return (await processesInside(routers)).map(({ pid }) => pid);
  };
  const known = await pids();
  const before = await cpuMillis(known);
  const { mbps, bytes, endsCpuSeconds } = await tcpGoodput(lab, host, address, { seconds: SECONDS });
  const spent = ((await cpuMillis(known)) - before) / 1000 + endsCpuSeconds;
  // The first second is excluded from the bytes, but not from the processor time.
  const carried = (bytes * (SECONDS + 1)) / SECONDS;
  return { mbps, cpuSecondsPerGigabyte: spent / (carried / 1e9) };
}
