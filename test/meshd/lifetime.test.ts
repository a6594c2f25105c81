import { strict as assert } from "node:assert";
import { monotonicMillis } from "../../agent/model/time.ts";
import { until } from "./helpers/client.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan, meshSpecOf } from "./helpers/meshes.ts";
import { TestNetwork } from "./helpers/network.ts";
import { Stream } from "./helpers/stream.ts";

describe("meshd: a lease ends without the agent", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  before(async () => {
    network = await TestNetwork.up(2);
    await Promise.all([network.start(1), network.start(2)]);
  });
  after(async () => network?.down());

  it("no route before the start; routes leave 2 s before the end, the interface 5 s after it; no packet is lost", async () => {
    const link = await agree(network, 1, 2, { buyers: [1] });
    const startsMillis = monotonicMillis() + 1_500;
    const lastsMillis = 4_500;
    const plan: MeshPlan = {
      links: [link],
      transit: new Map([[1, [1, 2]]]),
      flows: bothWays(1, [2]),
      startsMillis,
      lastsMillis,
    };
    await applyEverywhere(network, plan, [1, 2]);
    const measured = () => network.client(1).ask("measurements", {});
    const hasRoute = (all: Awaited<ReturnType<typeof measured>>): boolean =>
      (all.meshes[0]?.routes[0]?.path.length ?? 0) > 0;
    await until(measured, (all) => all.meshes[0]?.links[0]?.state === "up");
    assert.ok(!hasRoute(await measured()));
    const stream = await Stream.between(network.node(1).host, network.node(2).host, network.node(2).hostAddress.ipv4);
    await until(measured, hasRoute);
    assert.ok(monotonicMillis() >= startsMillis);
    const end = startsMillis + lastsMillis;
    await until(measured, (all) => !hasRoute(all), 10_000);
    const routesLeft = monotonicMillis();
    assert.ok(routesLeft >= end - 2_000 && routesLeft < end, `${routesLeft - end} ms from the end`);
    await until(
      () => network.client(1).ask("snapshot", {}),
      (snapshot) => snapshot.devices.length === 0,
      10_000,
    );
    const interfaceLeft = monotonicMillis();
    assert.ok(interfaceLeft >= end + 5_000, `${interfaceLeft - end} ms from the end`);
    const numbers = stream.arrivals.map((arrival) => arrival.number);
    stream.stop();
    const lost = (numbers.at(-1) ?? 0) - (numbers[0] ?? 0) + 1 - new Set(numbers).size;
    assert.equal(lost, 0);
    await Promise.all([1, 2].map((index) => network.client(index).ask("removeMesh", { meshId: 1 as never })));
  });

  it("what is wrong with a wanted mesh is said, and changes nothing", async () => {
    const link = await agree(network, 1, 2, { buyers: [1], name: `${network.name} wrong` });
    const good = meshSpecOf(network, 1, { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) });
    const refused = async (code: string, mesh: typeof good): Promise<void> => {
      await assert.rejects(network.client(1).ask("applyMesh", { mesh }), { code });
      const snapshot = await network.client(1).ask("snapshot", {});
      assert.deepEqual([snapshot.meshes, snapshot.devices, snapshot.rules, snapshot.nftTables], [[], [], 0, []]);
    };
    const [first, second] = good.participants;
    const [wanted] = good.links;
    const [pair] = good.pairs;
    assert.ok(first && second && wanted && pair);
    await refused("ROUTING_KEY_MISMATCH", {
      ...good,
      participants: [{ ...first, routingKey: second.routingKey }, second],
    });
    await refused("PREFIX_OVERLAP", { ...good, participants: [first, { ...second, prefixes: ["10.1.2.0/24"] }] });
    await refused("PREFIX_INVALID", { ...good, participants: [first, { ...second, prefixes: ["10.2.0.1/16"] }] });
    await refused("PREFIX_NOT_HELD", { ...good, pairs: [{ ...pair, source: "10.9.0.0/16" }] });
    await refused("UNDERLAY_UNKNOWN", { ...good, links: [{ ...wanted, underlay: "other" }] });
    const peering = { address: "198.18.0.2", port: 51820 };
    await refused("ENDPOINT_OVER_PRIMARY", { ...good, links: [{ ...wanted, peerEndpoint: peering }] });
    await refused("ENDPOINT_OVER_PRIMARY", {
      ...good,
      links: [{ ...wanted, peerEndpoint: { ...peering, address: "10.2.0.1" } }],
    });
  });

  it("a request that is not in the closed set, or not well formed, is refused and the next one answered", async () => {
    const client = network.client(1);
    await assert.rejects(client.ask("prepareLink", { linkId: "0x12" as never, attempt: 0, underlay: "ix" }), {
      code: "MESHD_REQUEST_INVALID",
    });
    await assert.rejects(client.ask("removeMesh", { meshId: 1, more: "; rm -rf" } as never), {
      code: "MESHD_REQUEST_INVALID",
    });
    assert.ok((await client.ask("heartbeat", {})).uptimeMillis > 0);
  });
});
