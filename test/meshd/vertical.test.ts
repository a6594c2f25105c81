import { strict as assert } from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import { execa } from "execa";
import { agree, applyEverywhere, bothWays, type MeshPlan, untilDirect } from "./helpers/meshes.ts";
import { differences, fullSnapshot, inside, run, TestNetwork } from "./helpers/network.ts";

describe("meshd: two regions and one lease, on real interfaces", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  let untouched: readonly string[];

  before(async () => {
    network = await TestNetwork.up(2);
    untouched = await snapshots();
    await network.start(1);
    await network.start(2);
  });
  after(async () => network?.down());

  const snapshots = (): Promise<string[]> => Promise.all(network.nodes.map((node) => fullSnapshot(node.router)));

  it("hosts reach one another over the ENI, in both families", async () => {
    const link = await agree(network, 1, 2, { buyers: [1] });
    const plan: MeshPlan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) };
    await applyEverywhere(network, plan, [1, 2]);
    await untilDirect(network, [1, 2]);
    const sentBefore = (await network.client(1).ask("counters", {})).links[0]?.sentPackets ?? 0;
    for (const family of ["ipv4", "ipv6"] as const) {
      await run(network.node(1).host, "ping", [
        "-c",
        "20",
        "-i",
        "0.01",
        "-W",
        "1",
        "-q",
        network.node(2).hostAddress[family],
      ]);
    }
    const { links } = await network.client(1).ask("counters", {});
    assert.ok((links[0]?.sentPackets ?? 0) - sentBefore >= 40);
  });

  it("what no pair names is not steered, though it goes to a participant's prefix", async () => {
    const { host, router } = network.node(1);
    const stranger = "172.31.9.1";
    await inside(host, [`address add ${stranger}/32 dev lo`]);
    await inside(router, [`route add ${stranger}/32 dev lan0`]);
    const sent = async () => (await network.client(1).ask("counters", {})).links[0]?.sentPackets ?? 0;
    const sentBefore = await sent();
    const pings = ["-q", "-c", "200", "-i", "0.002", "-W", "1", "-I", stranger, network.node(2).hostAddress.ipv4];
    await execa("ip", ["netns", "exec", host, "ping", ...pings], { reject: false });
    // Probes alone are fewer.
    assert.ok((await sent()) - sentBefore < 100);
    await inside(router, [`route del ${stranger}/32 dev lan0`]);
    await inside(host, [`address del ${stranger}/32 dev lo`]);
  });

  it("a tunnel in user space interrupts no running process, and keeps a small lease on one processor", () => {
    const BATCH = "3";
    for (const pid of network.tunnels(1)) {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      // Field 41 of proc_pid_stat(5), the policy; two stand before the parenthesis.
      assert.equal(fields[38], BATCH);
      assert.match(readFileSync(`/proc/${pid}/environ`, "utf8"), /(^|\0)GOMAXPROCS=1\0/);
    }
    assert.equal(network.tunnels(1).length, existsSync("/sys/module/wireguard") ? 0 : 1);
  });

  it("INV-10: after removeMesh both routers are byte for byte what they were", async () => {
    for (const index of [1, 2]) await network.client(index).ask("removeMesh", { meshId: 1 as never });
    assert.deepEqual(differences(untouched, await snapshots()), []);
  });
});
