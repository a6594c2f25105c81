/** Time from a lease (both meshds are told) to the first packet from host to host, and the same with WireGuard by hand. */
import type { MeshId } from "../../agent/model/ids.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import { Stream } from "../../lab/traffic/stream.ts";
import { handAddress, handDevice, PLAIN, tunnelsByHand } from "../mesh/manual-tunnels.ts";
import type { Figure } from "./figure.ts";
import { agreeLease, applyLease, flows, lines, type Pair, withPair } from "./pair.ts";
import { middle } from "./tools.ts";

const RTT_MILLIS = 20;
const GOAL_MILLIS = 300 + 4 * RTT_MILLIS;
const LEASE_MBPS = 100;

export async function firstPacket(rounds: number): Promise<readonly Figure[]> {
  return withPair(RTT_MILLIS, async (pair) => {
    const ours: number[] = [];
    const byHand: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await ourFirst(pair, round));
      byHand.push(await handFirst(pair));
    }
    const measured = middle(ours);
    return [
      {
        name: "leaseToFirstPacketMillis",
        what: `lease to first packet, round trip ${RTT_MILLIS} ms`,
        measured,
        unit: "ms",
        goal: `≤ ${GOAL_MILLIS}`,
        met: measured <= GOAL_MILLIS,
        beside: `worst ${Math.max(...ours).toFixed(0)} ms of ${rounds}; WireGuard by hand, create to first echo: ${middle(byHand).toFixed(0)} ms`,
      },
    ];
  });
}

async function ourFirst({ lab, mesh }: Pair, round: number): Promise<number> {
  const [from = "", to = ""] = lab.topology.regions.map(({ name }) => name);
  const link = await agreeLease(mesh, LEASE_MBPS, `first ${round}`);
  const stream = await Stream.start(lab, { from, to, intervalMillis: 5 });
  try {
    const toldAt = monotonicMillis();
    await applyLease(mesh, link);
    return (await stream.arrival(toldAt)).receivedMillis - toldAt;
  } finally {
    await stream.stop(0);
    await Promise.all([1, 2].map((at) => mesh.client(at).ask("removeMesh", { meshId: 1 as MeshId })));
  }
}

async function handFirst({ lab }: Pair): Promise<number> {
  const links = [{ a: 1, b: 2 }];
  const [router1 = "", router2 = ""] = lab.topology.regions.map(({ name }) => name);
  const beganAt = monotonicMillis();
  await tunnelsByHand(lab, links, "ipv4", PLAIN);
  await flows(lab, router1, handAddress(links, 2, 1));
  const took = monotonicMillis() - beganAt;
  await lines(lab, router1, [`link del ${handDevice(2)}`]);
  await lines(lab, router2, [`link del ${handDevice(1)}`]);
  return took;
}
