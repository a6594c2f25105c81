import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { agree, applyEverywhere, bothWays, type MeshPlan, untilDirect } from "./helpers/meshes.ts";
import { run, TestNetwork } from "./helpers/network.ts";
import { RecordingTools } from "./helpers/recording-tools.ts";

const NODES = [1, 2];
const KEY = /^[A-Za-z0-9+/]{43}=$/;

describe("meshd: the keys of its tunnels", function () {
  this.timeout(120_000);
  let network: TestNetwork;
  const tools = new Map<number, RecordingTools>();

  before(async () => {
    network = await TestNetwork.up(2, { logLevel: "debug" });
    for (const index of NODES) {
      const recording = new RecordingTools(network.directory, `tools${index}`);
      tools.set(index, recording);
      await network.start(index, { PATH: `${recording.folder}:${process.env.PATH}` });
    }
  });
  after(async () => network?.down());

  it("private and preshared keys are in no argument, environment, log or file", async () => {
    const plan = async (attempt: number): Promise<MeshPlan> => ({
      links: [await agree(network, 1, 2, { buyers: [1], attempt })],
      transit: new Map([[1, [1, 2]]]),
      flows: bothWays(1, [2]),
    });
    const secrets = new Set<string>();
    const seen: string[] = [];
    // The second attempt replaces the interface of the first.
    for (const attempt of [0, 1]) {
      await applyEverywhere(network, await plan(attempt), NODES);
      await untilDirect(network, NODES);
      for (const index of NODES) {
        for (const key of await secretsOf(network.node(index).router)) secrets.add(key);
        seen.push(...network.processes(index).map(describeProcess));
      }
    }
    // Two attempts of two private keys and the preshared key that both ends have.
    assert.equal(secrets.size, 6);

    for (const index of NODES) {
      const { calls } = tools.get(index)!;
      for (const tool of ["ip", "tc", "nft"]) assert.match(calls, new RegExp(`^${tool} `, "m"));
      assert.ok(network.log(index).length > 0);
    }
    for (const file of filesBelow(network.directory)) seen.push(readFileSync(file, "latin1"));
    for (const secret of secrets) {
      const bytes = Buffer.from(secret, "base64");
      for (const form of [secret, bytes.toString("hex"), bytes.toString("base64url"), bytes.toString("latin1")]) {
        assert.deepEqual(
          seen.filter((text) => text.includes(form)).map((text) => text.slice(0, 80)),
          [],
        );
      }
    }
  });
});

/** The keys that `wg` reads from the tunnels of a router, base64. */
async function secretsOf(router: string): Promise<readonly string[]> {
  const devices = (await run(router, "wg", ["show", "interfaces"])).split(/\s+/).filter((name) => name !== "");
  const links: string[] = JSON.parse(await run(router, "ip", ["-j", "link", "show"])).map(
    ({ ifname }: { ifname: string }) => ifname,
  );
  const keys: string[] = [];
  // Tunnels in user space are listed in every namespace.
  for (const device of devices.filter((name) => links.includes(name))) {
    for (const what of ["private-key", "preshared-keys"]) {
      const key = (await run(router, "wg", ["show", device, what])).trim().split("\t").at(-1) ?? "";
      assert.match(key, KEY);
      keys.push(key);
    }
  }
  return keys;
}

function describeProcess(pid: number): string {
  try {
    return ["cmdline", "environ"].map((name) => readFileSync(`/proc/${pid}/${name}`, "latin1")).join("\n");
  } catch {
    // It has ended; how it was called is recorded.
    return "";
  }
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
