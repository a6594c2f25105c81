import { strict as assert } from "node:assert";
import { until } from "./helpers/client.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan } from "./helpers/meshes.ts";
import { differences, fullSnapshot, inside, TestNetwork } from "./helpers/network.ts";
import { Stream } from "./helpers/stream.ts";

const [HUB, BUYER, SELLER, FAR] = [1, 2, 3, 4] as const;
const ALL = [HUB, BUYER, SELLER, FAR];
const OTHERS = [BUYER, SELLER, FAR];

describe("meshd: the hub dies, and another buyer's traffic led through it", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  let untouched: readonly string[];
  const snapshots = () => Promise.all(OTHERS.map((index) => fullSnapshot(network.node(index).router)));

  before(async () => {
    network = await TestNetwork.up(ALL.length);
    untouched = await snapshots();
    await Promise.all(ALL.map((index) => network.start(index)));
    // Through the hub is wide, around it narrow: bulk leads through the hub as long as it lives.
    const links = await Promise.all([
      agree(network, HUB, BUYER, { buyers: [HUB, BUYER] }),
      agree(network, HUB, FAR, { buyers: [HUB, BUYER] }),
      agree(network, HUB, SELLER, { buyers: [HUB] }),
      agree(network, BUYER, SELLER, { buyers: [BUYER], rateMbps: 5 }),
      agree(network, SELLER, FAR, { buyers: [BUYER], rateMbps: 5 }),
    ]);
    const plan: MeshPlan = {
      links,
      transit: new Map([
        [HUB, [HUB]],
        [BUYER, ALL],
      ]),
      flows: [...bothWays(HUB, OTHERS), ...bothWays(BUYER, [FAR])],
    };
    await applyEverywhere(network, plan, ALL);
    await bulkOf(BUYER, BUYER, FAR, (path) => path.join() === `${HUB},${FAR}`);
    await bulkOf(FAR, BUYER, BUYER, (path) => path.join() === `${HUB},${BUYER}`);
  });
  after(async () => network?.down());

  const bulkOf = (at: number, buyer: number, to: number, pleases: (path: readonly number[]) => boolean) =>
    until(
      async () => (await network.client(at).ask("measurements", {})).meshes[0]?.routes ?? [],
      (routes) =>
        routes.some(
          (route) =>
            route.buyer === buyer && route.destination === to && route.trafficClass === "bulk" && pleases(route.path),
        ),
    );

  it("the other buyer's turns around it and goes on; the hub's own is let go of; nothing is left at the end", async () => {
    // What arrives came over the mesh.
    for (const index of OTHERS) await network.losePeering(index);
    const stream = await Stream.between(
      network.node(BUYER).host,
      network.node(FAR).host,
      network.node(FAR).hostAddress.ipv4,
      10,
    );
    await network.stop(HUB, "SIGKILL");
    await inside(network.node(HUB).router, ["link set ix0 down"]);
    await bulkOf(BUYER, BUYER, FAR, (path) => path.join() === `${SELLER},${FAR}`);
    await bulkOf(FAR, BUYER, BUYER, (path) => path.join() === `${SELLER},${BUYER}`);
    const turned = stream.arrivals.length;
    await until(
      async () => stream.arrivals.length,
      (count) => count >= turned + 20,
    );
    stream.stop();
    for (const index of OTHERS) await bulkOf(index, HUB, HUB, (path) => path.length === 0);

    for (const index of OTHERS) await network.heal(index);
    for (const index of OTHERS) await network.client(index).ask("removeMesh", { meshId: 1 as never });
    assert.deepEqual(differences(untouched, await snapshots()), []);
  });
});
