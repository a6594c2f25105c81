import { strict as assert } from "node:assert";
import { setTimeout as delay } from "node:timers/promises";
import { agree, bothWays, type MeshPlan, meshSpecOf } from "./helpers/meshes.ts";
import { differences, fullSnapshot, TestNetwork } from "./helpers/network.ts";

/** More of them with EPHEMESH_KILLS, for a night. */
const KILLS = Number(process.env.EPHEMESH_KILLS ?? 8);

describe("INV-10: kill -9 of meshd at any instant, then cleanup", function () {
  this.timeout(20_000 + KILLS * 6_000);
  let network: TestNetwork;
  let untouched: string;
  const snapshot = (): Promise<string> => fullSnapshot(network.node(1).router);

  before(async () => {
    network = await TestNetwork.up(2);
    untouched = await snapshot();
    await network.start(2);
  });
  after(async () => network?.down());

  it(`${KILLS} kills spread over set-up and teardown leave no trace after cleanup`, async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      const client = await network.start(1);
      const link = await agree(network, 1, 2, { buyers: [1], name: `${network.name} ${kill}` });
      const plan: MeshPlan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) };
      const teardown = kill % 2 === 1;
      const applied = client.ask("applyMesh", { mesh: meshSpecOf(network, 1, plan) }).catch(() => {});
      if (teardown) {
        await applied;
        client.ask("removeMesh", { meshId: 1 as never }).catch(() => {});
      }
      // From before the first command to after the last one.
      await delay(((kill >> 1) * 8 * (teardown ? 40 : 45)) / KILLS);
      await network.stop(1, "SIGKILL");
      await network.cleanup(1);
      assert.deepEqual(differences([untouched], [await snapshot()]), [], `kill ${kill}`);
    }
  });

  it("cleanup of a clean router changes nothing, and does so again", async () => {
    await network.cleanup(1);
    await network.cleanup(1);
    assert.deepEqual(differences([untouched], [await snapshot()]), []);
  });
});
