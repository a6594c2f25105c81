import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { until } from "./helpers/client.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan } from "./helpers/meshes.ts";
import { TestNetwork } from "./helpers/network.ts";

const LEASED_MBPS = 20;
const CARRIED_BYTES = 1_000_000;

describe("meshd: a lease for more than the underlay has", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  before(async () => {
    network = await TestNetwork.up(2);
    await Promise.all([network.start(1), network.start(2)]);
    const link = await agree(network, 1, 2, { buyers: [1], rateMbps: LEASED_MBPS });
    const plan: MeshPlan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) };
    await applyEverywhere(network, plan, [1, 2]);
  });
  after(async () => network?.down());

  const link = async (index: number) => (await network.client(index).ask("measurements", {})).meshes[0]?.links[0];

  it("what it really carries is seen once there is more to send, is said to the others, and weighs in the cost of bulk", async () => {
    await until(
      () => link(1),
      (each) => each?.state === "up",
    );
    assert.equal((await link(1))?.shortageKbps, null);
    await network.limit(2, CARRIED_BYTES);
    const script = `const socket = require("dgram").createSocket("udp4");
      setInterval(() => { for (let k = 0; k < 8; k++) socket.send(Buffer.alloc(1000), 9, "${network.node(2).hostAddress.ipv4}"); }, 2);`;
    const flood = spawn("ip", ["netns", "exec", network.node(1).host, process.execPath, "-e", script]);
    const carriedKbps = (CARRIED_BYTES * 8) / 1000;
    // The bucket of that limit holds a second at first; and inside the tunnel there is less of it than on the underlay.
    await until(
      () => link(1),
      (each) => (each?.shortageKbps ?? 0) > carriedKbps / 2 && (each?.shortageKbps ?? 0) < carriedKbps * 1.1,
    );
    // Of 20 Mbit/s bulk costs 3.2 s, and the other end believes it of us.
    for (const index of [1, 2])
      await until(
        () => network.client(index).ask("measurements", {}),
        ({ meshes }) =>
          meshes[0]?.routes.some(
            ({ trafficClass, costMicros }) => trafficClass === "bulk" && costMicros !== null && costMicros > 6_000_000,
          ) === true,
      );
    flood.kill("SIGKILL");
  });
});
