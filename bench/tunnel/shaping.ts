/** How exactly the rate of a lease is kept: TCP goodput as a share of the leased rate. Headers alone take 3.7 %. */
import { hostOf } from "../../lab/layout/place.ts";
import type { Figure } from "./figure.ts";
import { agreeLease, applyLease, flows, withPair } from "./pair.ts";
import { serve, tcpGoodput } from "./tools.ts";

const RATES_MBPS = [10, 50, 100, 300];
const GOAL_UP_TO_MBPS = 100;
const RTT_MILLIS = 5;

export async function shaping(): Promise<readonly Figure[]> {
  return withPair(RTT_MILLIS, async ({ lab, mesh, addresses }) => {
    const [host1 = "", host2 = ""] = lab.topology.regions.map(({ name }) => hostOf(name));
    const link = await agreeLease(mesh, RATES_MBPS[0]!, "shaped");
    const server = await serve(lab, host2);
    const figures: Figure[] = [];
    for (const rateMbps of RATES_MBPS) {
      await applyLease(mesh, { ...link, rateMbps });
      await flows(lab, host1, addresses.ours);
      const { mbps } = await tcpGoodput(lab, host1, addresses.ours, { seconds: 6, streams: 2 });
      const share = (100 * mbps) / rateMbps;
      figures.push({
        name: `goodputShare${rateMbps}`,
        what: `TCP goodput of a lease of ${rateMbps} Mbit/s`,
        measured: share,
        unit: "%",
        goal: rateMbps <= GOAL_UP_TO_MBPS ? "≥ 95" : "–",
        met: rateMbps <= GOAL_UP_TO_MBPS ? share >= 95 : null,
        beside: `${mbps.toFixed(1)} Mbit/s`,
      });
    }
    await server.stop();
    return figures;
  });
}
