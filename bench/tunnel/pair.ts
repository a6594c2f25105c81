/** Two regions, one lease between them, and beside it a tunnel made by hand that other addresses of the hosts use. */
import { setTimeout as delay } from "node:timers/promises";
import { EphemeshError } from "../../agent/model/errors.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import type { Lab } from "../../lab/lab.ts";
import { hostAddress, LAN_DEVICE } from "../../lab/layout/addressing.ts";
import { hostOf } from "../../lab/layout/place.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";
import { withLab } from "../../lab/with-lab.ts";
import { agree, applyEverywhere, bothWays, type TestLink } from "../../test/meshd/helpers/meshes.ts";
import { LabMesh } from "../mesh/lab-mesh.ts";
import { handAddress, handDevice, PLAIN, tunnelsByHand } from "../mesh/manual-tunnels.ts";
import { withoutPeering } from "../mesh/without-peering.ts";

export const PROBE_MILLIS = 100;
const HAND_LINKS = [{ a: 1, b: 2 }];
const FLOWS_WITHIN_MILLIS = 20_000;

export interface Pair {
  readonly lab: Lab;
  readonly mesh: LabMesh;
  /** Addresses of the second host: via the lease, and via the tunnel made by hand. */
  readonly addresses: { readonly ours: string; readonly byHand: string };
}

export async function withPair<T>(rttMillis: number, body: (pair: Pair) => Promise<T>): Promise<T> {
  const topology = uniformTopology({ regions: 2, rttMillis, pairMbps: 10_000 });
  return withLab({ topology }, async (lab) => {
    await withoutPeering(lab);
    const mesh = await LabMesh.start(lab, PROBE_MILLIS);
    return body({ lab, mesh, addresses: { ours: hostAddress(2).ipv4, byHand: byHandHost(2) } });
  });
}

export async function agreeLease(mesh: LabMesh, rateMbps: number, name: string): Promise<TestLink> {
  return agree(mesh, 1, 2, { buyers: [1], rateMbps, name: `${mesh.name} ${name}` });
}

const began = monotonicMillis();

/** Brings the lease into effect at both ends, or changes its rate. */
export async function applyLease(mesh: LabMesh, link: TestLink): Promise<void> {
  const plan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) };
  await applyEverywhere(mesh, { ...plan, startsMillis: began, lastsMillis: 3_600_000 }, [1, 2]);
}

const byHandHost = (index: number): string => `172.16.${index}.10`;

/** The hosts get second addresses, and the routers plain routes: the primary table, no steering, no shaper. */
export async function makeByHand({ lab }: Pair): Promise<void> {
  await tunnelsByHand(lab, HAND_LINKS, "ipv4 and ipv6", PLAIN);
  for (const [at, peer] of [
    [1, 2],
    [2, 1],
  ] as const) {
    const { name } = lab.topology.regions[at - 1]!;
    await lines(lab, name, [
      `address add 172.16.${at}.1/24 dev ${LAN_DEVICE}`,
      `route add 172.16.${peer}.0/24 via ${handAddress(HAND_LINKS, peer, at)} dev ${handDevice(peer)}`,
    ]);
    await lines(lab, hostOf(name), [
      `address add ${byHandHost(at)}/24 dev ${LAN_DEVICE}`,
      `route add 172.16.${peer}.0/24 via 172.16.${at}.1 src ${byHandHost(at)}`,
    ]);
  }
}

export async function lines(lab: Lab, place: string, text: readonly string[]): Promise<void> {
  await lab.exec(place, ["ip", "-batch", "-"], { input: `${text.join("\n")}\n` });
}

/** Waits until an echo comes back. */
export async function flows(lab: Lab, place: string, address: string): Promise<void> {
  for (const until = monotonicMillis() + FLOWS_WITHIN_MILLIS; monotonicMillis() < until; await delay(20)) {
    const answered = await lab.exec(place, ["ping", "-c", "1", "-W", "1", "-q", address]).then(
      () => true,
      () => false,
    );
    if (answered) return;
  }
  throw new EphemeshError("BENCH_NO_FLOW", `${place} does not reach ${address}.`, "See meshd's logs in the lab.");
}
