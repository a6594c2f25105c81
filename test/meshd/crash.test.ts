import { strict as assert } from "node:assert";
import { until } from "./helpers/client.ts";
import { DeadlyTools } from "./helpers/deadly-tools.ts";
import { agree, bothWays, type MeshPlan, meshSpecOf } from "./helpers/meshes.ts";
import { differences, fullSnapshot, TestNetwork } from "./helpers/network.ts";

/** Both sides of every command with `scripts/test --long`; else one of them, by turns. */
const STRIDE = process.env.EPHEMESH_LONG ? 1 : 2;

describe("INV-10: kill -9 of meshd at any command, then cleanup", function () {
  this.timeout(1_200_000);
  let network: TestNetwork;
  let tools: DeadlyTools;
  let untouched: string;
  const snapshot = (): Promise<string> => fullSnapshot(network.node(1).router);

  before(async () => {
    network = await TestNetwork.up(2);
    untouched = await snapshot();
    tools = new DeadlyTools(network.directory);
    await network.start(2);
  });
  after(async () => network?.down());

  /** Start, handshake, interface, routes, teardown, end. Rejects when meshd dies on the way. */
  async function life(name: string): Promise<void> {
    const client = await network.start(1, { PATH: `${tools.folder}:${process.env.PATH}` });
    const link = await agree(network, 1, 2, { buyers: [1], name });
    const plan: MeshPlan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) };
    await Promise.all(
      [1, 2].map((index) => network.client(index).ask("applyMesh", { mesh: meshSpecOf(network, index, plan) })),
    );
    await until(
      () => client.ask("measurements", {}),
      ({ meshes }) => meshes[0]?.routes.some((route) => route.path.length > 0) === true,
    );
    await client.ask("removeMesh", { meshId: 1 as never });
    await network.stop(1);
  }

  /** @returns whether meshd was killed. */
  async function lifeWithKill(half: number): Promise<boolean> {
    tools.arm(half);
    const died = await life(`${network.name} ${half}`).then(
      () => false,
      () => true,
    );
    await network.stop(1, "SIGKILL");
    network.endTools(1);
    await network.cleanup(1);
    assert.deepEqual(differences([untouched], [await snapshot()]), [], `at half-step ${half}`);
    await network.client(2).ask("removeMesh", { meshId: 1 as never });
    return died;
  }

  it("leaves no trace, before and after each command of set-up and teardown", async () => {
    assert.equal(await lifeWithKill(0), false);
    const { steps } = tools;
    assert.ok(steps > 40, `a life has ${steps} commands`);
    let kills = 0;
    for (let half = 1; half <= 2 * steps; half += STRIDE) {
      if (await lifeWithKill(half + (STRIDE === 2 && half % 4 === 3 ? 1 : 0))) kills++;
    }
    console.log(`      ${kills} kills over ${steps} commands`);
    // The last commands of a life are not in every life: what is read again depends on when the kernel speaks up.
    assert.ok(kills * STRIDE >= 1.6 * steps, `${kills} kills`);
  });

  it("cleanup of a clean router changes nothing, and does so again", async () => {
    await network.cleanup(1);
    await network.cleanup(1);
    assert.deepEqual(differences([untouched], [await snapshot()]), []);
  });
});
