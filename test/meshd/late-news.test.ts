import { strict as assert } from "node:assert";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./helpers/client.ts";
import { FaultyTools } from "./helpers/faulty-tools.ts";
import { agree, applyEverywhere, bothWays, type MeshPlan, untilDirect } from "./helpers/meshes.ts";
import { run, TestNetwork } from "./helpers/network.ts";
import { Pings } from "./helpers/pings.ts";

describe("meshd: the kernel's news come late", function () {
  this.timeout(60_000);
  let network: TestNetwork;
  let go: string;
  let told: string;

  before(async () => {
    network = await TestNetwork.up(2);
    const tools = new FaultyTools(network.directory, "tools");
    [go, told] = [join(tools.folder, "go"), join(tools.folder, "told")];
    const ip = (await run(network.node(1).router, "which", ["ip"])).trim();
    tools.replace(
      "ip",
      `case "$*" in
  *monitor*) ${ip} "$@" | { read -r _ <"${go}"; tee "${told}"; } ;;
  *) exec ${ip} "$@" ;;
esac`,
    );
    await run(network.node(1).router, "mkfifo", [go]);
    await network.start(1, { PATH: `${tools.folder}:${process.env.PATH}` });
    await network.start(2);
  });
  after(async () => network?.down());

  it("that an interface was not up yet, when it was made, is no word of today's", async () => {
    const link = await agree(network, 1, 2, { buyers: [1] });
    const plan: MeshPlan = { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) };
    await applyEverywhere(network, plan, [1, 2]);
    await untilDirect(network, [1, 2]);
    const nextHops = () => run(network.node(1).router, "ip", ["nexthop", "show"]);
    const before = await nextHops();
    const pings = new Pings("over the mesh", network.node(1).host, network.node(2).hostAddress.ipv4);
    writeFileSync(go, "\n");
    const lines = await until(
      async () => (existsSync(told) ? readFileSync(told, "utf8") : ""),
      (text) => /: eph[0-9a-f]{12}: <[^>]*\bUP\b/.test(text),
    );
    assert.match(lines, /: eph[0-9a-f]{12}: <(?![^>]*\bUP\b)/, "it was told that it was down");
    await pings.lossless(10);
    const { meshes } = await network.client(1).ask("measurements", {});
    assert.deepEqual(
      meshes[0]?.changes.filter(({ what }) => what.endsWith("is down")),
      [],
    );
    assert.equal(await nextHops(), before);
  });
});
