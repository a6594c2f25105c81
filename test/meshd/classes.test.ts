import { strict as assert } from "node:assert";
import { leafClass } from "../../agent/meshd/shaping/htb.ts";
import type { TrafficClass } from "../../agent/model/traffic-class.ts";
import { until } from "./helpers/client.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan } from "./helpers/meshes.ts";
import { run, TestNetwork } from "./helpers/network.ts";

const ALL = [1, 2, 3];
const LEASED_MBPS = 5;
/** The first buyer at a router has the first mesh index. */
const SLOT = 1;
const EF = 0xb8;
const AF41 = 0x88;

describe("meshd: classes of traffic, and several paths at once", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  const target = (): string => network.node(2).hostAddress.ipv4;

  before(async () => {
    network = await TestNetwork.up(3);
    for (const index of ALL) await network.start(index);
    const links = [];
    for (const [a, b, rateMbps] of [
      [1, 2, LEASED_MBPS],
      [1, 3, LEASED_MBPS],
      // So that 3 is strictly closer to 2 than 1 is: only downstream may traffic be spread.
      [2, 3, 20 * LEASED_MBPS],
    ] as const) {
      links.push(await agree(network, a, b, { buyers: [1], rateMbps }));
    }
    const plan: MeshPlan = { links, transit: new Map([[1, ALL]]), flows: bothWays(1, [2, 3]) };
    await applyEverywhere(network, plan, ALL);
    await spreadIs([2, 3]);
  });
  after(async () => network?.down());

  async function bulkRoute() {
    const { meshes } = await network.client(1).ask("measurements", {});
    return meshes[0]?.routes.find((route) => route.destination === 2 && route.trafficClass === "bulk");
  }

  function spreadIs(regions: readonly number[]): Promise<unknown> {
    return until(
      bulkRoute,
      (route) =>
        route?.nextHops
          .map(({ region }) => region)
          .sort()
          .join() === regions.join(),
      10_000,
    );
  }

  /** Packets that left region 1 toward a peer in that class of the shaper. */
  async function sent(peer: number, trafficClass: TrafficClass): Promise<number> {
    const { meshes } = await network.client(1).ask("measurements", {});
    const device = meshes[0]?.links.find((link) => link.peer === peer)?.device ?? "";
    const text = await run(network.node(1).router, "tc", ["-s", "class", "show", "dev", device]);
    const [, packets] = new RegExp(`class htb ${leafClass(SLOT, trafficClass)} .*\\n Sent \\d+ bytes (\\d+) pkt`).exec(
      text,
    ) ?? [undefined, "NaN"];
    return Number(packets);
  }

  /** What each of the two links carried of that class meanwhile. */
  async function carried(trafficClass: TrafficClass, during: () => Promise<unknown>): Promise<[number, number]> {
    const before = await Promise.all([sent(2, trafficClass), sent(3, trafficClass)]);
    await during();
    const after = await Promise.all([sent(2, trafficClass), sent(3, trafficClass)]);
    return [after[0] - before[0], after[1] - before[1]];
  }

  const ping = (tos: number, count: number, bytes = 56): Promise<unknown> =>
    run(network.node(1).host, "ping", [
      ...["-Q", String(tos), "-c", String(count), "-i", "0.001", "-s", String(bytes), "-W", "1", "-q", target()],
    ]).catch(() => {});
  const shell = (script: string): Promise<unknown> => run(network.node(1).host, "bash", ["-c", script]);

  it("flows of bulk spread over both paths in proportion to capacity, and each flow keeps to one", async () => {
    const many = await carried("bulk", () => shell(`for i in {1..256}; do echo > /dev/udp/${target()}/9; done`));
    assert.equal(many[0] + many[1], 256);
    assert.ok(Math.min(...many) >= 80, `${many} of 256, half each are expected`);
    const one = await carried("bulk", () =>
      shell(`exec 3> /dev/udp/${target()}/9; for i in {1..100}; do echo >&3 || true; done`),
    );
    assert.deepEqual([Math.min(...one), Math.max(...one)], [0, 100]);
  });

  it("IPv6 flows spread as well", async () => {
    const many = await carried("bulk", () =>
      shell(`for i in {1..128}; do echo > /dev/udp/${network.node(2).hostAddress.ipv6}/9; done`),
    );
    assert.equal(many[0] + many[1], 128);
    assert.ok(Math.min(...many) >= 30, `${many} of 128`);
  });

  it("EF is critical, AF41 interactive: each takes one path, and its own class of the shaper", async () => {
    for (const [tos, trafficClass] of [
      [EF, "critical"],
      [AF41, "interactive"],
    ] as const) {
      const packets = await carried(trafficClass, () => ping(tos, 20));
      assert.deepEqual([Math.min(...packets), Math.max(...packets)], [0, 20], trafficClass);
    }
  });

  it("what of critical is more than a fifth of the lease travels as bulk", async () => {
    const before = (await sent(2, "critical")) + (await sent(3, "critical"));
    const bulk = await carried("bulk", () => ping(EF, 1_000, 1_200));
    const critical = (await sent(2, "critical")) + (await sent(3, "critical")) - before;
    // A fifth are 126 kB/s, and the kernel's bucket is a second and 13 kB deep: of 1.2 MB about 220 packets, and 103 more
    // for each second that sending takes.
    assert.ok(critical >= 100 && critical <= 600, `${critical} critical of 1000`);
    assert.ok(Math.max(...bulk) >= 300, `${bulk} bulk of 1000`);
  });

  it("a lost link's bucket groups move to the other one, and come back when it does", async () => {
    await Promise.all([network.lose(1, 2), network.lose(2, 1)]);
    await spreadIs([3]);
    const around = await carried("bulk", () => shell(`for i in {1..64}; do echo > /dev/udp/${target()}/9; done`));
    assert.equal(around[1], 64);
    const route = await bulkRoute();
    assert.match(route?.reason ?? "", /Mbit\/s|moved to/);
    await Promise.all([network.heal(1), network.heal(2)]);
    await spreadIs([2, 3]);
  });
});
