import { strict as assert } from "node:assert";
import { until } from "./helpers/client.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan, meshSpecOf } from "./helpers/meshes.ts";
import { differences, fullSnapshot, run, TestNetwork } from "./helpers/network.ts";
import { Pings } from "./helpers/pings.ts";

describe("meshd dies and comes back", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  let untouched: readonly string[];
  let plan: MeshPlan;
  const snapshots = (): Promise<string[]> => Promise.all(network.nodes.map((node) => fullSnapshot(node.router)));
  const carries = (index: number): Promise<unknown> =>
    until(
      () => network.client(index).ask("measurements", {}),
      ({ meshes }) => meshes[0]?.routes[0]?.path.length === 1,
    );
  const handshake = (index: number): Promise<string> =>
    run(network.node(index).router, "wg", ["show", "all", "latest-handshakes"]);

  before(async () => {
    network = await TestNetwork.up(2);
    untouched = await snapshots();
    await Promise.all([network.start(1), network.start(2)]);
    const link = await agree(network, 1, 2, { buyers: [1] });
    plan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) };
    await applyEverywhere(network, plan, [1, 2]);
    await Promise.all([carries(1), carries(2)]);
  });
  after(async () => network?.down());

  it("INV-10: after kill -9 and a restart the running tunnel is adopted, with no new handshake and no keys", async () => {
    const before = await handshake(1);
    await network.stop(1, "SIGKILL");
    const client = await network.start(1);
    const waiting = await client.ask("snapshot", {});
    assert.deepEqual([waiting.devices.length, waiting.nftTables, waiting.nextHops], [1, ["inet ephemesh"], 0]);
    await client.ask("applyMesh", { mesh: meshSpecOf(network, 1, plan) });
    await carries(1);
    assert.equal(await handshake(1), before);
    await run(network.node(1).host, "ping", [
      "-c",
      "3",
      "-i",
      "0.01",
      "-W",
      "1",
      "-q",
      network.node(2).hostAddress.ipv4,
    ]);
  });

  it("the dead-man's switch puts traffic on the peering at once and leaves the tunnels", async () => {
    await network.stop(1, "SIGKILL");
    await network.cleanup(1, "steering");
    await until(
      () => network.client(2).ask("measurements", {}),
      ({ meshes }) => meshes[0]?.routes[0]?.path.length === 0,
    );
    // Nothing can go over the underlay now: what arrives came over the peering.
    await Promise.all([network.lose(1, 2), network.lose(2, 1)]);
    await new Pings("over the peering", network.node(1).host, network.node(2).hostAddress.ipv4).lossless(20);
    await Promise.all([network.heal(1), network.heal(2)]);
    assert.match(await run(network.node(1).router, "ip", ["link", "show"]), /eph[0-9a-f]{12}/);
  });

  it("SIGTERM leaves tunnels for the next start, and no route into them", async () => {
    const client = await network.start(1);
    await client.ask("applyMesh", { mesh: meshSpecOf(network, 1, plan) });
    await carries(1);
    await network.stop(1, "SIGTERM");
    const left = await run(network.node(1).router, "ip", ["nexthop", "show"]);
    assert.equal(left.trim(), "");
    assert.match(await run(network.node(1).router, "ip", ["link", "show"]), /eph[0-9a-f]{12}/);
  });

  it("INV-10: cleanup that knows nothing but the namespace leaves it byte for byte what it was", async () => {
    await network.stop(2, "SIGKILL");
    await Promise.all([network.cleanup(1), network.cleanup(2)]);
    assert.deepEqual(differences(untouched, await snapshots()), []);
  });
});
