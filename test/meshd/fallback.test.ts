import { strict as assert } from "node:assert";
import { until } from "./helpers/client.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan } from "./helpers/meshes.ts";
import { inside, run, TestNetwork } from "./helpers/network.ts";

describe("meshd: when the mesh or the peering has no path", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  const ping = (): Promise<string> =>
    run(network.node(1).host, "ping", ["-c", "3", "-i", "0.02", "-W", "0.5", "-q", network.node(2).hostAddress.ipv4]);
  const pathLength = (length: number): Promise<unknown> =>
    Promise.all(
      [1, 2].map((index) =>
        until(
          () => network.client(index).ask("measurements", {}),
          ({ meshes }) => meshes[0]?.routes.every((route) => route.path.length === length) === true,
          10_000,
        ),
      ),
    );

  before(async () => {
    network = await TestNetwork.up(2);
    await Promise.all([network.start(1), network.start(2)]);
  });
  after(async () => network?.down());

  it("where the peering is down and `main` knows no way back, IPv4 arrives over the mesh all the same", async () => {
    const link = await agree(network, 1, 2, { buyers: [1], name: `${network.name} no way back` });
    const plan: MeshPlan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) };
    await applyEverywhere(network, plan, [1, 2]);
    await pathLength(1);
    // The peering is down, and there is no default route.
    for (const index of [1, 2]) await inside(network.node(index).router, ["link set up0 down"]);
    await ping();
    for (const index of [1, 2]) {
      const other = 3 - index;
      await inside(network.node(index).router, [
        "link set up0 up",
        `address replace fd00:1::${index}/64 dev up0 nodad`,
        `route add 10.${other}.0.0/16 via 198.18.0.${other}`,
        `route replace fd01:${other}::/32 via fd00:1::${other}`,
      ]);
    }
    for (const index of [1, 2]) await network.client(index).ask("removeMesh", { meshId: 1 as never });
    await ping();
  });

  for (const fallback of ["peering", "drop"] as const) {
    it(`with fallback ${fallback} the traffic ${fallback === "drop" ? "is refused" : "goes by the peering as before"}`, async () => {
      const link = await agree(network, 1, 2, { buyers: [1], name: `${network.name} ${fallback}` });
      const plan: MeshPlan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]), fallback };
      await applyEverywhere(network, plan, [1, 2]);
      await pathLength(1);
      await ping();
      await Promise.all([network.lose(1, 2), network.lose(2, 1)]);
      await pathLength(0);
      if (fallback === "drop") await assert.rejects(ping());
      else await ping();
      await Promise.all([network.heal(1), network.heal(2)]);
      await pathLength(1);
      await ping();
      for (const index of [1, 2]) await network.client(index).ask("removeMesh", { meshId: 1 as never });
      await ping();
    });
  }
});
