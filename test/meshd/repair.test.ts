import { strict as assert } from "node:assert";
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMillis } from "../../agent/model/time.ts";
import { until } from "./helpers/client.ts";
import { FaultyTools } from "./helpers/faulty-tools.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan } from "./helpers/meshes.ts";
import { inside, run, TestNetwork } from "./helpers/network.ts";
import { Stream } from "./helpers/stream.ts";

const ALL = [1, 2, 3];

describe("meshd: others change what is ours, or send what they must not", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  let tools: FaultyTools;
  const nextHops = async () =>
    JSON.parse(await run(network.node(1).router, "ip", ["-j", "nexthop", "show"])) as { id: number; dev: string }[];
  const device = async (index: number, peer: number): Promise<string> => {
    const { meshes } = await network.client(index).ask("measurements", {});
    return meshes[0]?.links.find((link) => link.peer === peer)?.device ?? "";
  };
  const allUp = (): Promise<unknown> =>
    Promise.all(
      ALL.map((index) =>
        until(
          () => network.client(index).ask("measurements", {}),
          ({ meshes }) =>
            meshes[0]?.links.every((link) => link.state === "up") === true &&
            // What would save less than 1 ms is no reason to turn: of bulk the direct path is the best by far.
            meshes[0].routes.every((route) => route.trafficClass !== "bulk" || route.path.length === 1),
          10_000,
        ),
      ),
    );

  before(async () => {
    network = await TestNetwork.up(3);
    tools = new FaultyTools(network.directory, "tools");
    await network.start(1, { PATH: `${tools.folder}:${process.env.PATH}` });
    for (const index of [2, 3]) await network.start(index);
    const links = [
      await agree(network, 1, 2, { buyers: [1] }),
      await agree(network, 1, 3, { buyers: [1] }),
      await agree(network, 2, 3, { buyers: [1] }),
    ];
    const plan: MeshPlan = { links, transit: new Map([[1, ALL]]), flows: bothWays(1, [2, 3]) };
    await applyEverywhere(network, plan, ALL);
    await allUp();
  });
  after(async () => network?.down());

  for (const [what, family, harm] of [
    ["deleted by hand", "ipv6", (victim: string) => `link del ${victim}`],
    ["set down by hand", "ipv4", (victim: string) => `link set ${victim} down`],
  ] as const)
    it(`an interface that is ${what} is left as soon as the kernel tells, and made again`, () =>
      leftAndMadeAgain(family, harm));

  async function leftAndMadeAgain(family: "ipv4" | "ipv6", harm: (victim: string) => string): Promise<void> {
    for (const index of ALL) await network.losePeering(index);
    const stream = await Stream.between(
      network.node(1).host,
      network.node(2).host,
      network.node(2).hostAddress[family],
      10,
    );
    const victim = await device(1, 2);
    const hopsBefore = await nextHops();
    await delay(300);
    const at = monotonicMillis();
    // Whatever meshd would look at now says nothing: it knows what the kernel took along.
    tools.breaks("ip", "silent");
    await inside(network.node(1).router, [harm(victim)]);
    await until(nextHops, (hops) => hops.length === hopsBefore.length && hops.every(({ dev }) => dev !== victim));
    tools.behave();
    console.log(`      gap ${stream.maxGapMillis(at).toFixed(0)} ms`);
    stream.stop();
    const { meshes } = await network.client(1).ask("measurements", {});
    const down = meshes[0]?.changes.findLast(({ what }) => what.startsWith("link to 2 ") && what.endsWith(" is down"));
    assert.match(
      down?.reason ?? "",
      /^(the interface was (deleted|set down) by another process|the probe socket failed)/,
    );
    for (const index of ALL) await network.heal(index);
    await allUp();
  }

  it("rules and next-hop objects of ours that somebody deleted come back", async () => {
    const before = await network.client(1).ask("snapshot", {});
    const [hop] = await nextHops();
    await inside(network.node(1).router, [`nexthop del id ${hop?.id}`, "rule del pref 6930"]);
    const after = await until(
      () => network.client(1).ask("snapshot", {}),
      (snapshot) => snapshot.rules === before.rules && snapshot.nextHops === before.nextHops,
    );
    assert.equal(after.routes, before.routes);
  });

  it("INV-9: a packet from the mesh with a source that the pair does not have goes nowhere", async () => {
    const out = await device(1, 2);
    const { router } = network.node(1);
    // As a lying region 1: its router itself sends with an address of region 3, straight into the tunnel to 2.
    await inside(router, [
      "address add 10.3.0.66/32 dev lo",
      `route add 10.2.0.0/16 dev ${out} table 99`,
      "rule add pref 10 from 10.3.0.66 lookup 99",
    ]);
    const refused = () => dropped("unauthorised");
    const before = await refused();
    await assert.rejects(
      run(router, "ping", ["-c", "5", "-i", "0.01", "-W", "0.2", "-q", "-I", "10.3.0.66", "10.2.0.10"]),
    );
    assert.equal(await refused(), before + 5);
    await until(
      async () => (await network.client(2).ask("counters", {})).links.map((link) => link.droppedPackets.unauthorised),
      (counts) => counts.reduce((sum, count) => sum + count, 0) === before + 5,
    );
    await inside(router, ["rule del pref 10", "route flush table 99", "address del 10.3.0.66/32 dev lo"]);
  });

  it("nothing from the mesh reaches the router itself", async () => {
    const ping = run(network.node(1).host, "ping", ["-c", "3", "-i", "0.01", "-W", "0.3", "-q", "10.2.0.1"]);
    await assert.rejects(ping);
    assert.equal(await dropped("toRouter"), 3);
  });

  /** By region 2, on all its interfaces. */
  async function dropped(kind: string): Promise<number> {
    const counters = await run(network.node(2).router, "nft", ["list", "counters"]);
    const counts = [...counters.matchAll(new RegExp(`counter ${kind}_eph\\w+ \\{\\s*packets (\\d+)`, "g"))];
    assert.ok(counts.length > 0);
    return counts.reduce((sum, [, packets]) => sum + Number(packets), 0);
  }
});
