import { strict as assert } from "node:assert";
import { BUCKET_GROUPS } from "../../agent/meshd/kernel/marks.ts";
import { until } from "./helpers/client.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan, untilDirect } from "./helpers/meshes.ts";
import { differences, fullSnapshot, inside, run, TestNetwork } from "./helpers/network.ts";
import { Pings } from "./helpers/pings.ts";

const BOTH = [1, 2];
/** To one destination of one buyer: one object for each bucket group of each class. */
const NEXT_HOPS = Object.values(BUCKET_GROUPS).reduce((sum, groups) => sum + groups, 0);

describe("meshd: underlays", function () {
  this.timeout(60_000);
  let network: TestNetwork;
  let untouched: readonly string[];
  const snapshots = () => Promise.all(network.nodes.map((node) => fullSnapshot(node.router)));
  /** Addresses of the peer, by link, as WireGuard uses them. */
  const endpoints = async (index: number): Promise<readonly string[]> => {
    const { devices } = await network.client(index).ask("snapshot", {});
    const { router } = network.node(index);
    const shown = await Promise.all(devices.map((device) => run(router, "wg", ["show", device, "endpoints"])));
    return shown.map((text) => text.replace(/^\S+\t(.*):\d+$/, "$1")).sort();
  };

  async function start(options: Parameters<typeof TestNetwork.up>[1]): Promise<void> {
    network = await TestNetwork.up(2, options);
    untouched = await snapshots();
    await Promise.all(BOTH.map((index) => network.start(index)));
  }

  async function removeMesh(): Promise<void> {
    for (const index of BOTH) await network.heal(index);
    for (const index of BOTH) await network.client(index).ask("removeMesh", { meshId: 1 as never });
    assert.deepEqual(differences(untouched, await snapshots()), []);
  }

  afterEach(async () => network?.down());

  it("outer packets go over IPv6 where the underlay's addresses are of it, and the largest inner packet fits", async () => {
    await start({ outer: "ipv6" });
    const link = await agree(network, 1, 2, { buyers: [1] });
    const plan: MeshPlan = { links: [link], transit: new Map([[1, BOTH]]), flows: bothWays(1, [2]) };
    await applyEverywhere(network, plan, BOTH);
    await untilDirect(network, BOTH);
    for (const index of BOTH) await network.losePeering(index);
    assert.deepEqual(await endpoints(1), ["[fd00:2::2]"]);
    // 1,500 bytes of the underlay, less 80 for IPv6, UDP and WireGuard.
    const largest = 1420;
    assert.deepEqual(
      [...link.ends.values()].map(({ mtu }) => mtu),
      [largest, largest],
    );
    const { host } = network.node(1);
    for (const [family, headers] of [
      ["ipv4", 28],
      ["ipv6", 48],
    ] as const) {
      const size = String(largest - headers);
      await run(host, "ping", [
        "-c",
        "3",
        "-i",
        "0.01",
        "-W",
        "2",
        "-M",
        "do",
        "-s",
        size,
        network.node(2).hostAddress[family],
      ]);
    }
    await removeMesh();
  });

  it("each link of a mesh goes over the fabric that it names, and one carries on where the other fails", async () => {
    await start({ hasSecondFabric: true });
    const names = ["ix", "alt"];
    const links = await Promise.all(
      names.map((underlay) => agree(network, 1, 2, { buyers: [1], underlay, name: `${network.name} ${underlay}` })),
    );
    const plan: MeshPlan = { links, transit: new Map([[1, BOTH]]), flows: bothWays(1, [2]) };
    await applyEverywhere(network, plan, BOTH);
    /** At both ends just these links are up, and no route uses another one. */
    const carriedBy = async (...underlays: readonly string[]): Promise<void> => {
      for (const index of BOTH) {
        const devices = await until(
          async () => {
            const { meshes } = await network.client(index).ask("measurements", {});
            return names.map((name) => {
              const id = links.find(({ underlay }) => underlay === name)?.id;
              const link = meshes[0]?.links.find(({ linkId }) => linkId === id);
              return { name, device: link?.device, isUp: link?.state === "up" };
            });
          },
          (all) => all.every(({ name, isUp }) => isUp === underlays.includes(name)),
        );
        const unused = devices.filter(({ isUp }) => !isUp).map(({ device }) => device);
        await until(
          () => run(network.node(index).router, "ip", ["nexthop", "show"]),
          (hops) =>
            hops.split(" dev eph").length - 1 === NEXT_HOPS &&
            !unused.some((device) => hops.includes(` dev ${device} `)),
        );
      }
      await untilDirect(network, BOTH);
    };
    const pings = (who: string) => new Pings(who, network.node(1).host, network.node(2).hostAddress.ipv4).lossless(20);
    await carriedBy("ix", "alt");
    assert.deepEqual(await endpoints(1), ["192.0.2.2", "203.0.113.2"]);
    for (const index of BOTH) await network.losePeering(index);

    await inside(network.core, ["link set br0 down"]);
    await carriedBy("alt");
    await pings("over the second fabric");
    await inside(network.core, ["link set br0 up"]);
    await carriedBy("ix", "alt");

    await inside(network.core, ["link set br2 down"]);
    await carriedBy("ix");
    await pings("over the first fabric");
    await inside(network.core, ["link set br2 up"]);
    await removeMesh();
  });
});
