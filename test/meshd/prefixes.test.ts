import { strict as assert } from "node:assert";
import type { MeshPair } from "../../agent/model/meshd-messages.ts";
import { until } from "./helpers/client.ts";
import { agree, bothWays, type MeshPlan, meshSpecOf, region } from "./helpers/meshes.ts";
import { inside, run, TestNetwork } from "./helpers/network.ts";

const BOTH = [1, 2];
const ADDED = "10.77.0.0/16";

describe("meshd: prefixes change while traffic flows", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  let plan: MeshPlan;

  before(async () => {
    network = await TestNetwork.up(2);
    for (const index of BOTH) await network.start(index);
    plan = {
      links: [await agree(network, 1, 2, { buyers: [1] })],
      transit: new Map([[1, BOTH]]),
      flows: bothWays(1, [2]),
    };
    await apply([]);
    for (const index of BOTH)
      await until(
        () => network.client(index).ask("measurements", {}),
        ({ meshes }) => meshes[0]?.routes.every((route) => route.path.length > 0) === true,
        10_000,
      );
  });
  after(async () => network?.down());

  /** As both agents do when the register says that region 2 holds this as well. */
  async function apply(prefixes: readonly string[]): Promise<void> {
    const pair = (source: string, destination: string, from: number, to: number): MeshPair => ({
      ...{ source, destination, sourceRegion: region(from), destinationRegion: region(to), buyer: region(1) },
    });
    for (const index of BOTH) {
      const spec = meshSpecOf(network, index, plan);
      const pairs = prefixes.flatMap((each) => [pair("10.1.0.0/16", each, 1, 2), pair(each, "10.1.0.0/16", 2, 1)]);
      const participants = spec.participants.map((each) =>
        each.regionId === 2 ? { ...each, prefixes: [...each.prefixes, ...prefixes] } : each,
      );
      await network
        .client(index)
        .ask("applyMesh", { mesh: { ...spec, participants, pairs: [...spec.pairs, ...pairs] } });
    }
  }

  const refused = async (index: number): Promise<number> => {
    const counters = await run(network.node(index).router, "nft", ["list", "counters"]);
    return Number(/counter unauthorised_eph\w+ \{\s*packets (\d+)/.exec(counters)?.[1]);
  };

  it("the table is changed, not made anew: other pairs, limits and counters are not touched", async () => {
    const handles = async () =>
      (await run(network.node(1).router, "nft", ["-a", "list", "ruleset"])).match(
        /(table|chain|map|set) .*# handle \d+/g,
      );
    const before = await handles();
    assert.ok((before?.length ?? 0) > 10);
    await apply([ADDED]);
    const map = ["list", "map", "inet", "ephemesh"];
    assert.match(await run(network.node(1).router, "nft", [...map, "outbound4"]), /10\.77\.0\.0\/16/);
    assert.match(await run(network.node(2).router, "nft", [...map, "inbound4"]), /10\.1\.0\.0\/16 \. 10\.77\.0\.0\/16/);
    assert.deepEqual(await handles(), before);
    await apply([]);
    assert.doesNotMatch(await run(network.node(1).router, "nft", ["list", "ruleset"]), /10\.77/);
    assert.deepEqual(await handles(), before);
  });

  it("INV-9: from a prefix that was withdrawn nothing is let in any more", async () => {
    const { router } = network.node(2);
    const { meshes } = await network.client(2).ask("measurements", {});
    // As a region that goes on using it: its router itself sends from there, straight into the tunnel.
    await inside(router, [
      "address add 10.77.0.66/32 dev lo",
      `route add 10.1.0.0/16 dev ${meshes[0]?.links[0]?.device} table 99`,
      "rule add pref 10 from 10.77.0.66 lookup 99",
    ]);
    const ping = () =>
      run(router, "ping", ["-c", "5", "-i", "0.01", "-W", "0.2", "-q", "-I", "10.77.0.66", "10.1.0.10"]);
    await apply([ADDED]);
    const before = await refused(1);
    await ping().catch(() => undefined);
    assert.equal(await refused(1), before, "let in while it is held");
    await apply([]);
    const since = await refused(1);
    await assert.rejects(ping());
    assert.equal((await refused(1)) - since, 5);
  });
});
