import { strict as assert } from "node:assert";
import { steerMark } from "../../agent/meshd/kernel/marks.ts";
import { until } from "./helpers/client.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan, untilDirect } from "./helpers/meshes.ts";
import { differences, fullSnapshot, inside, run, TestNetwork } from "./helpers/network.ts";

/** Where the mesh must stand back, and what it must let through. */
describe("meshd: what the region's own routing has to say", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  let untouched: readonly string[];
  const router = () => network.node(1).router;
  const snapshots = (): Promise<string[]> => Promise.all(network.nodes.map((node) => fullSnapshot(node.router)));

  before(async () => {
    network = await TestNetwork.up(2);
    untouched = await snapshots();
    await Promise.all([network.start(1), network.start(2)]);
    const link = await agree(network, 1, 2, { buyers: [1] });
    const plan: MeshPlan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) };
    await applyEverywhere(network, plan, [1, 2]);
    await untilDirect(network, [1, 2]);
  });
  after(async () => network?.down());

  /** Where a steered packet to an address goes. */
  const leadsTo = async (address: string): Promise<string> => {
    // The first mesh index, and its first bucket of bulk.
    const mark = String(steerMark(1, "bulk"));
    const [route] = JSON.parse(await run(router(), "ip", ["-j", "route", "get", address, "mark", mark])) as [
      { dev: string },
    ];
    return route.dev;
  };

  it("a more specific route of its own keeps its precedence from the moment it comes, and gives it back when it goes", async () => {
    for (const [prefix, address] of [
      ["10.2.5.0/24", "10.2.5.1"],
      ["fd01:2:5::/48", "fd01:2:5::1"],
    ] as const) {
      assert.match(await leadsTo(address), /^eph/);
      await inside(router(), [`route add ${prefix} dev lan0`]);
      await until(
        () => leadsTo(address),
        (device) => device === "lan0",
      );
      assert.match(await leadsTo(prefix.startsWith("10") ? "10.2.6.1" : "fd01:2:6::1"), /^eph/);
      await inside(router(), [`route del ${prefix} dev lan0`]);
      await until(
        () => leadsTo(address),
        (device) => device.startsWith("eph"),
      );
    }
  });

  it("a more specific route over the standing peering is what the mesh is there to spare", async () => {
    await inside(router(), ["route add 10.2.7.0/24 via 198.18.0.2", "route add 10.2.8.0/24 dev lan0"]);
    await until(
      () => leadsTo("10.2.8.1"),
      (device) => device === "lan0",
    );
    assert.match(await leadsTo("10.2.7.1"), /^eph/);
    await inside(router(), ["route del 10.2.7.0/24", "route del 10.2.8.0/24"]);
  });

  it("an ICMP error from an address that no pair names comes through the mesh: path MTU has no black hole", async () => {
    const [one, two] = [network.node(1), network.node(2)];
    // Some router inside region 2 answers, by its own address; region 1 has a default route, and its peering is cut.
    await inside(two.router, ["route add 172.31.9.1/32 dev lan0"]);
    await inside(one.router, ["route add default via 198.18.0.2"]);
    await network.losePeering(1);
    const answerAs =
      "add table ip t; add chain ip t c { type filter hook output priority 0; }; add rule ip t c icmp type destination-unreachable ip saddr set 172.31.9.1";
    await run(two.host, "nft", [answerAs]);
    const knock = `exec 3<>/dev/udp/${two.hostAddress.ipv4}/9; for i in 1 2 3 4 5; do echo x >&3 || exit 7; sleep 0.2; done`;
    const { refused } = await run(one.host, "bash", ["-c", knock]).then(
      () => ({ refused: false }),
      (error: { stderr?: string }) => ({ refused: /refused/i.test(error.stderr ?? "") }),
    );
    assert.ok(refused, "the error reached the host that caused it");
    await network.heal(1);
    await inside(one.router, ["route del default"]);
    await inside(two.router, ["route del 172.31.9.1/32"]);
  });

  it("INV-10: after removeMesh both routers are byte for byte what they were", async () => {
    for (const index of [1, 2]) await network.client(index).ask("removeMesh", { meshId: 1 as never });
    assert.deepEqual(differences(untouched, await snapshots()), []);
  });
});
