import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { execa } from "execa";
import { removeLab } from "../../lab/process/run-dir.ts";

const MAIN = new URL("../../lab/main.ts", import.meta.url).pathname;
const lab = (...args: string[]) => execa(process.execPath, [MAIN, ...args], { reject: false });

describe("lab/main: the lab from a terminal (real namespaces)", function () {
  this.timeout(120_000);
  const id = `t${randomBytes(4).toString("hex")}`;
  after(() => removeLab(id, 0));

  it("makes the six clouds, cuts and heals a cable, and removes them", async () => {
    const up = await lab("up", id);
    assert.equal(up.exitCode, 0, up.stderr);
    assert.match(up.stdout, /us-east-1\/host\teph-/);
    assert.ok(
      JSON.parse((await lab("status", "--json")).stdout).some(
        (known: { id: string; state: string }) => known.id === id && known.state === "kept",
      ),
    );
    const ping = () => lab("exec", id, "eu-central-1/host", "ping", "-c", "1", "-W", "1", "10.2.0.10");
    assert.equal((await ping()).exitCode, 0);
    assert.equal((await lab("fault", "cut", id, "eu-central-1", "eu-west-1", "--fabric", "peering")).exitCode, 0);
    assert.equal((await ping()).exitCode, 1);
    assert.equal((await lab("fault", "heal", id)).exitCode, 0);
    assert.equal((await ping()).exitCode, 0);
    assert.equal((await lab("down", id)).exitCode, 0);
    assert.doesNotMatch((await lab("status")).stdout, new RegExp(id));
  });

  it("wrong input is reported with exit code 1, and nothing is made", async () => {
    for (const [args, said] of [
      [["up", "not-a-name"], /lower-case letters/],
      [["up", id, "--topology", "/nowhere.json"], /Cannot read/],
      [["exec", id, "core", "true"], /no lab called/],
      [["fault", "delay", id, "a", "b", "-5"], /unknown option|not negative/],
    ] as const) {
      const result = await lab(...args);
      assert.equal(result.exitCode, 1);
      assert.match(result.stderr, said);
    }
  });
});
