import { strict as assert } from "node:assert";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { deviceName } from "../../agent/meshd/kernel/marks.ts";
import { until } from "./helpers/client.ts";
import { FaultyTools } from "./helpers/faulty-tools.ts";
import { agree, bothWays, meshSpecOf, region } from "./helpers/meshes.ts";
import { differences, fullSnapshot, inside, run, TestNetwork } from "./helpers/network.ts";

const DOCTOR = new URL("./helpers/requirements-process.ts", import.meta.url).pathname;
const MESHD = new URL("./helpers/meshd-process.ts", import.meta.url).pathname;

/** By its path: the process that it starts must not find it by PATH. */
const IP = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"].find(existsSync) ?? "ip";

describe("meshd: a machine that is not as it should be", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  let untouched: readonly string[];

  const snapshots = async (): Promise<readonly string[]> => [await fullSnapshot(network.node(1).router)];

  before(async () => {
    network = await TestNetwork.up(2);
    untouched = await snapshots();
  });
  after(async () => network?.down());

  describe("an interface of somebody else's that has our name", () => {
    before(async () => {
      for (const index of [1, 2]) await network.start(index);
    });
    after(async () => {
      for (const index of [1, 2]) await network.stop(index);
      await network.cleanup(1);
    });

    /** A mesh that is refused because the name of its link's interface is taken. */
    async function refused(attempt: number) {
      const link = await agree(network, 1, 2, { buyers: [1], attempt });
      const mesh = meshSpecOf(network, 1, { links: [link], transit: new Map([[1, [1, 2]]]), flows: bothWays(1, [2]) });
      const taken = deviceName(link.id, attempt, region(1));
      await inside(network.node(1).router, [`link add ${taken} type bridge`, `address add 192.0.2.77/32 dev ${taken}`]);
      await assert.rejects(network.client(1).ask("applyMesh", { mesh }), {
        code: "INTERFACE_NAME_TAKEN",
        message: new RegExp(taken),
      });
      return { mesh, taken };
    }

    it("is left as it is, also by removeMesh and by cleanup", async () => {
      const { mesh, taken } = await refused(0);
      await network.client(1).ask("removeMesh", { meshId: mesh.meshId });
      await network.cleanup(1);
      assert.match(await run(network.node(1).router, "ip", ["address", "show", "dev", taken]), /192\.0\.2\.77/);
      await inside(network.node(1).router, [`link del ${taken}`]);
      assert.deepEqual(differences(untouched, await snapshots()), []);
    });

    it("is in nobody's way once it is gone", async () => {
      const { mesh, taken } = await refused(1);
      await inside(network.node(1).router, [`link del ${taken}`]);
      await until(
        () => network.client(1).ask("snapshot", {}),
        ({ devices }) => devices.includes(taken),
      );
      await network.client(1).ask("removeMesh", { meshId: mesh.meshId });
      assert.deepEqual(differences(untouched, await snapshots()), []);
    });
  });

  /** What meshd says when it cannot run at all. */
  async function refusal(prefix: readonly string[], env: Record<string, string> = {}): Promise<string> {
    const node = network.node(1);
    const file = join(network.directory, "machine.json");
    writeFileSync(file, JSON.stringify(node.config));
    const ran = await execa(IP, ["netns", "exec", node.router, ...prefix, process.execPath, MESHD, file], {
      reject: false,
      env,
      timeout: 20_000,
    });
    assert.notEqual(ran.exitCode, 0);
    assert.deepEqual(differences(untouched, await snapshots()), []);
    return ran.stderr;
  }

  it("without CAP_NET_ADMIN it says so and changes nothing", async () => {
    assert.match(await refusal(["setpriv", "--bounding-set=-all", "--inh-caps=-all"]), /NO_PRIVILEGE/);
  });

  /** What the real tools say where the kernel lacks it, and what meshd makes of that. */
  for (const { what, tool, script, says } of [
    {
      what: "without nftables in the kernel",
      tool: "nft",
      script:
        'case "$*" in *version*) exit ;; esac; echo "netlink: Error: cache initialization failed: Operation not supported" >&2; exit 1',
      says: /This kernel has no nftables \(nf_tables\)/,
    },
    {
      what: "without HTB in the kernel",
      tool: "tc",
      script: '[ "$1" != -V ] || exit 0; echo "Error: Specified qdisc kind is unknown." >&2; exit 2',
      says: /This kernel has no HTB shaper \(sch_htb\)/,
    },
    ...["tc", "nft", "wg"].map((tool) => ({
      what: `without the command ${tool}`,
      tool,
      script: null,
      says: new RegExp(`The command ${tool} is not installed`),
    })),
  ])
    it(`${what} it names the missing part, makes nothing, and so does doctor`, async () => {
      const tools = new FaultyTools(network.directory, `without-${what.replaceAll(" ", "-")}`);
      if (script === null) tools.remove(tool);
      else tools.replace(tool, script);
      // Nothing else is in PATH: what is missing is not found elsewhere.
      const env = { PATH: tools.folder };
      assert.match(await refusal([], env), says);
      const found = await execa(IP, [...["netns", "exec", network.node(1).router], process.execPath, DOCTOR], { env });
      assert.match(found.stdout, says);
      assert.deepEqual(differences(untouched, await snapshots()), []);
    });

  it("without its tools it names the one that is missing and changes nothing", async () => {
    const said = await refusal([], { PATH: network.directory });
    assert.match(said, /TOOL_MISSING/);
    assert.match(said, /The command ip is not installed/);
  });
});
