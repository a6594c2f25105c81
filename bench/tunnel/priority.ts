/** Queueing delay of `critical` (marked EF) while bulk exceeds the lease of 20 Mbit/s. */
import { hostOf } from "../../lab/layout/place.ts";
import type { Figure } from "./figure.ts";
import { agreeLease, applyLease, flows, withPair } from "./pair.ts";
import { quantile, roundTrips, serve } from "./tools.ts";

const LEASE_MBPS = 20;
const RTT_MILLIS = 10;
const EF_TOS = 0xb8;
const PINGS = { count: 400, intervalSeconds: 0.02 } as const;

export async function priority(): Promise<readonly Figure[]> {
  return withPair(RTT_MILLIS, async ({ lab, mesh, addresses }) => {
    const [host1 = "", host2 = ""] = lab.topology.regions.map(({ name }) => hostOf(name));
    await applyLease(mesh, await agreeLease(mesh, LEASE_MBPS, "priority"));
    await flows(lab, host1, addresses.ours);
    const pings = (tos: number) => roundTrips(lab, host1, addresses.ours, { ...PINGS, tos });
    const p99 = async (tos: number) => quantile(await pings(tos), 0.99);
    const unloaded = await p99(EF_TOS);
    const server = await serve(lab, host2);
    const bulk = lab.spawnIn(host1, [
      ...(["iperf3", "--client", addresses.ours, "--forceflush", "--parallel", "8"] as const),
      ...["--time", "120"],
    ]);
    await bulk.line(/\bsec\b/);
    const loaded = await p99(EF_TOS);
    const unmarked = await pings(0);
    await bulk.stop();
    await server.stop();
    const ratio = loaded / unloaded;
    return [
      {
        name: "criticalP99Ratio",
        what: "p99 of critical under bulk, relative to unloaded, 20 Mbit/s",
        measured: ratio,
        unit: "×",
        goal: "≤ 2",
        met: ratio <= 2,
        beside: `${loaded.toFixed(1)} ms against ${unloaded.toFixed(1)} ms; unmarked: median ${quantile(unmarked, 0.5).toFixed(0)} ms, ${lostPercent(unmarked)} % lost`,
      },
    ];
  });
}

const lostPercent = (trips: readonly number[]): string =>
  ((100 * trips.filter((trip) => !Number.isFinite(trip)).length) / trips.length).toFixed(1);
