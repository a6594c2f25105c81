import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const MAIN = new URL("../../agent/main.ts", import.meta.url).pathname;

describe("command line: bad input", function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-cli-"));
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };

  async function run(...args: readonly string[]) {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    assert.doesNotMatch(err + out, /^\s+at .+:\d+:\d+\)?$/m, "never a stack trace");
    return { out, err, code: Number(code) };
  }

  it("config check lists all problems at once, and the nearest known key for one that is not known", async () => {
    const bad = file(
      "bad.yaml",
      "region: Bad Name\nchian: {}\nkeys: { agent: a, routing: b }\ncontrol: { listen: nowhere }\nunderlays: []\nprimary: []\n",
    );
    const { err, code } = await run("config", "check", bad);
    assert.equal(code, 1);
    for (const expected of [
      /region/,
      /chain: is missing/,
      /did you mean "chain"/,
      /control\.listen/,
      /underlays/,
      /primary/,
    ])
      assert.match(err, expected);
    assert.match(err, /→ Nothing was started or changed/);
  });

  it("what is not YAML, and a file that is not there, say what to do", async () => {
    const broken = await run("config", "check", file("broken.yaml", "region: [unclosed\n"));
    assert.deepEqual([broken.code, /→/.test(broken.err)], [1, true]);
    const absent = await run("status", "--config", join(folder, "absent.yaml"));
    assert.equal(absent.code, 1);
    assert.match(absent.err, /cannot be read[\s\S]*→ Name an existing file/);
  });

  it("unknown commands, options and values are usage errors", async () => {
    for (const args of [
      ["dance"],
      ["status", "--loud"],
      ["trigger", "party"],
      ["trigger", "rollout", "--mbps", "-1"],
      ["status", "--check", "maybe"],
    ])
      assert.equal((await run(...args)).code, 2, args.join(" "));
  });

  it("an invalid trigger is refused before any agent is asked", async () => {
    for (const [args, says] of [
      [[], /Invalid trigger: give either mbps/],
      [["--size", "0", "--deadline", "60"], /sizeBytes/],
      [["--mbps", "10", "--copies", "0"], /copies/],
      [["--mbps", "10", "--size", "1M", "--deadline", "60"], /not both/],
    ] as const) {
      const { err, code } = await run("trigger", "rollout", ...args);
      assert.equal(code, 2, err);
      assert.match(err, says);
    }
  });

  it("what is no configuration at all is not printed back", async () => {
    const { err, code } = await run("config", "check", file("noise.yaml", `a: "${"\u0001\u001b[2J".repeat(5000)}"\n`));
    assert.equal(code, 1);
    assert.ok(err.length < 4000 && !err.includes("\u001b"), `${err.length} characters`);
  });

  it("config keys makes both keys and the API's token, for their owner alone, and none where one is or no folder can be", async () => {
    const keys = join(folder, "keys");
    assert.equal((await run("config", "keys", keys)).code, 0);
    for (const name of ["agent.key", "routing.key", "api.token"])
      assert.equal(statSync(join(keys, name)).mode & 0o777, 0o600);
    assert.ok(readFileSync(join(keys, "api.token"), "utf8").trim().length >= 32);
    const again = await run("config", "keys", keys);
    assert.match(again.err, /exists. No key was made/);
    const nowhere = await run("config", "keys", "/proc/ephemesh");
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.err, /cannot be made[\s\S]*→/);
  });

  it("an agent that is not running has its own exit code", async () => {
    const token = file("token", "secret\n");
    const good = file(
      "good.yaml",
      [
        "region: r1",
        `stateDir: ${folder}/state`,
        "chain: { rpc: ['http://127.0.0.1:1'], deployment: nowhere }",
        "keys: { agent: agent.key, routing: routing.key }",
        "control: { listen: '127.0.0.1:0' }",
        "underlays: [{ name: ix, fabric: ix, device: ix0, address: 192.0.2.1, endpoint: 192.0.2.1, ports: 51820-51829, spareMbps: 100 }]",
        "primary: [{ name: peering, device: up0, capacityMbps: 100 }]",
        `api: { listen: '127.0.0.1:1', tokenFile: ${token} }`,
        "",
      ].join("\n"),
    );
    const { err, code } = await run("status", "--config", good);
    assert.equal(code, 3, err);
    assert.match(err, /→/);
    assert.equal((await run("status", "--check", "live", "--config", good)).code, 4);
    const agent = await run("agent", "--config", good);
    assert.equal(agent.code, 6, "a key that is missing: starting again would say the same");
    assert.match(agent.err, /agent\.key cannot be read[\s\S]*→/);
    assert.ok(!readdirSync(folder).includes("state"), "and nothing was made");
  });
});
