/** Two leased paths against one: a buyer with leases from two sellers, each connected to the destination of the traffic. */
import { monotonicMillis } from "../../agent/model/time.ts";
import { hostAddress } from "../../lab/layout/addressing.ts";
import { hostOf } from "../../lab/layout/place.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";
import { withLab } from "../../lab/with-lab.ts";
import { until } from "../../test/meshd/helpers/client.ts";
import { agree, applyEverywhere, bothWays, type TestLink } from "../../test/meshd/helpers/meshes.ts";
import { LabMesh } from "../mesh/lab-mesh.ts";
import { withoutPeering } from "../mesh/without-peering.ts";
import type { Figure } from "./figure.ts";
import { flows, PROBE_MILLIS } from "./pair.ts";
import { serve, tcpGoodput } from "./tools.ts";

const ALL = [1, 2, 3, 4];
const LEASE_MBPS = 30;
/** Enough flows for an even hash: with 16, one path gets 10 or more in one of five runs. */
const STREAMS = 32;

export async function twoPaths(): Promise<readonly Figure[]> {
  const topology = uniformTopology({ regions: ALL.length, rttMillis: 5, pairMbps: 1_000 });
  return withLab({ topology }, async (lab) => {
    await withoutPeering(lab);
    const mesh = await LabMesh.start(lab, PROBE_MILLIS);
    const lease = (a: number, b: number): Promise<TestLink> => agree(mesh, a, b, { buyers: [1], rateMbps: LEASE_MBPS });
    const one = [await lease(1, 2), await lease(2, 4)];
    const two = [...one, await lease(1, 3), await lease(3, 4)];
    const plan = { transit: new Map([[1, ALL]]), flows: bothWays(1, [4]), startsMillis: monotonicMillis() };
    const host = hostOf(lab.topology.regions[0]!.name);
    const address = hostAddress(4).ipv4;
    const server = await serve(lab, hostOf(lab.topology.regions[3]!.name));
    const measure = async (links: readonly TestLink[], hops: number) => {
      await applyEverywhere(mesh, { ...plan, links, lastsMillis: 3_600_000 }, ALL);
      await flows(lab, host, address);
      await until(
        () => mesh.client(1).ask("measurements", {}),
        ({ meshes }) =>
          meshes[0]?.routes.some(
            ({ destination, trafficClass, nextHops }) =>
              destination === 4 && trafficClass === "bulk" && nextHops.length >= hops,
          ) === true,
        15_000,
      ).catch(() => undefined);
      return (await tcpGoodput(lab, host, address, { seconds: 8, streams: STREAMS })).mbps;
    };
    const single = await measure(one, 1);
    const both = await measure(two, 2);
    await server.stop();
    const ratio = both / single;
    return [
      {
        name: "twoPathsRatio",
        what: "two leased paths against one",
        measured: ratio,
        unit: "×",
        goal: "≥ 1.8",
        met: ratio >= 1.8,
        beside: `${both.toFixed(1)} Mbit/s against ${single.toFixed(1)}; ${STREAMS} TCP flows, ${LEASE_MBPS} Mbit/s each lease`,
      },
    ];
  });
}
