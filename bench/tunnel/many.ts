/** A hundred ENIs on one router: time until the kernel has them, cost of a pass without changes, and effect on foreign traffic. */
import { setTimeout as delay } from "node:timers/promises";
import type { MeshId } from "../../agent/model/ids.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import { CORE, hostOf } from "../../lab/layout/place.ts";
import { bothWays, meshSpecOf, type TestLink } from "../../test/meshd/helpers/meshes.ts";
import type { Figure } from "./figure.ts";
import { agreeLease, lines, type Pair, withPair } from "./pair.ts";
import { middle, packetsPerSecond, serve } from "./tools.ts";

const MESH = 1 as MeshId;
const LEASE_MBPS = 10;
const SECONDS = 3;
/** A network that is in no mesh, behind a cable of its own. */
const FOREIGN = { router: "198.51.100.1", far: "198.51.100.2", device: "foreign" } as const;

export async function manyEnis(count: number): Promise<readonly Figure[]> {
  return withPair(0, async (pair) => {
    const { lab, mesh } = pair;
    // The far ends are only keys, and nobody answers: 100 processes are enough for one machine.
    const links: TestLink[] = [];
    for (let number = 0; number < count; number++) links.push(await agreeLease(mesh, LEASE_MBPS, `eni ${number}`));
    const spec = meshSpecOf(mesh, 1, {
      links,
      transit: new Map([[1, [1, 2]]]),
      flows: bothWays(1, [2]),
      startsMillis: monotonicMillis(),
      lastsMillis: 3_600_000,
    });
    await makeForeign(pair);
    const host = hostOf(lab.topology.regions[0]!.name);
    const server = await serve(lab, CORE);
    const forwarding = () => packetsPerSecond(lab, host, FOREIGN.far, SECONDS);
    await forwarding();
    const without = [await forwarding(), await forwarding()];
    const apply = async () => {
      const beganAt = monotonicMillis();
      await mesh.client(1).ask("applyMesh", { mesh: spec });
      return monotonicMillis() - beganAt;
    };
    const fromNothing = await apply();
    const snapshot = await mesh.client(1).ask("snapshot", {});
    // The new interfaces are announced by now; every later announcement is a write.
    await delay(1_000);
    const writes = await watchWrites(pair);
    const unchanged: number[] = [];
    for (let time = 0; time < 5; time++) unchanged.push(await apply());
    const written = await writes();
    const besideSearch = await forwarding();
    process.kill(mesh.pid(1), "SIGSTOP");
    const within = [await forwarding(), await forwarding(), await forwarding()];
    process.kill(mesh.pid(1), "SIGCONT");
    await mesh.client(1).ask("removeMesh", { meshId: MESH });
    without.push(await forwarding(), await forwarding());
    await server.stop();
    return figures({
      ...{ count, made: snapshot.devices.length, fromNothing, unchanged },
      ...{ written, without, within, besideSearch },
    });
  });
}

async function makeForeign({ lab }: Pair): Promise<void> {
  const router = lab.topology.regions[0]!.name;
  const { device } = FOREIGN;
  await lines(lab, router, [
    `link add ${device} type veth peer name ${device} netns ${lab.namespace(CORE)}`,
    `address add ${FOREIGN.router}/24 dev ${device}`,
    `link set ${device} up`,
  ]);
  await lines(lab, CORE, [
    `address add ${FOREIGN.far}/24 dev ${device}`,
    `link set ${device} up`,
    `route add 10.1.0.0/16 via ${FOREIGN.router}`,
  ]);
}

/** Counts the kernel's announcements about links, addresses, routes, rules and nftables until it is stopped. */
async function watchWrites({ lab }: Pair): Promise<() => Promise<number>> {
  const router = lab.topology.regions[0]!.name;
  const heard: string[] = [];
  const monitors = [
    lab.spawnIn(router, ["ip", "-o", "monitor", "link", "address", "route", "nexthop", "rule"]),
    lab.spawnIn(router, ["nft", "monitor"]),
    lab.spawnIn(router, ["tc", "monitor"]),
  ];
  for (const monitor of monitors) monitor.onLine((line) => heard.push(line));
  await delay(300);
  return async () => {
    await delay(300);
    await Promise.all(monitors.map((monitor) => monitor.stop()));
    return heard.length;
  };
}

interface Measured {
  readonly count: number;
  readonly made: number;
  readonly fromNothing: number;
  readonly unchanged: readonly number[];
  readonly written: number;
  readonly without: readonly number[];
  /** With the ENIs and their rules; meshd is paused, because probing far ends that do not exist is no normal load. */
  readonly within: readonly number[];
  /** The same while meshd probes them. */
  readonly besideSearch: number;
}

function figures(measured: Measured): readonly Figure[] {
  const { count, made, fromNothing, unchanged, written, without, within, besideSearch } = measured;
  const share = (100 * middle(within)) / middle(without);
  const again = middle(unchanged);
  const thousands = (rates: readonly number[]) => (middle(rates) / 1000).toFixed(0);
  return [
    {
      name: "reconcileFromNothingMillis",
      what: `${count} ENIs from nothing`,
      measured: fromNothing,
      unit: "ms",
      goal: "≤ 5,000",
      met: fromNothing <= 5_000 && made === count,
      beside: `${made} interfaces made`,
    },
    {
      name: "reconcileUnchangedMillis",
      what: `${count} ENIs, nothing to change`,
      measured: again,
      unit: "ms",
      goal: "≤ 100",
      met: again <= 100,
      beside: `worst ${Math.max(...unchanged).toFixed(0)} ms of ${unchanged.length}`,
    },
    {
      name: "writesUnchanged",
      what: "writes to the kernel when nothing is to change",
      measured: written,
      unit: "",
      goal: "0",
      met: written === 0,
      beside: `seen by ip, tc and nft monitor in ${unchanged.length} times`,
    },
    {
      name: "foreignForwardingShare",
      what: `foreign packets forwarded with ${count} ENIs and their rules`,
      measured: share,
      unit: "%",
      goal: "≥ 90",
      met: share >= 90,
      beside: `${thousands(within)} against ${thousands(without)} thousand a second; ${thousands([besideSearch])} while meshd probes ${count} far ends that do not answer`,
    },
  ];
}
