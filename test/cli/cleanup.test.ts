import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { MINIMAL_CONFIG } from "../helpers/minimal-config.ts";

const MAIN = new URL("../../agent/main.ts", import.meta.url).pathname;

/** As root in an empty network namespace: there is nothing to remove. */
describe("ephemesh cleanup", function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-cleanup-"));
  const configFile = join(folder, "ephemesh.yaml");
  const meshd = createServer();
  after(() => rmSync(folder, { recursive: true }));
  after(() => void meshd.close());

  before(() => {
    mkdirSync(join(folder, "run"));
    writeFileSync(configFile, MINIMAL_CONFIG);
  });

  const cleanup = (...args: readonly string[]) =>
    execa(
      "unshare",
      [
        ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
        ...["--net", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh", process.execPath],
        ...["--disable-warning=ExperimentalWarning", MAIN, "cleanup", ...args],
      ],
      { reject: false },
    );

  it("with --force says that nothing is left where no meshd runs, also without a configuration", async () => {
    for (const file of [configFile, join(folder, "none.yaml")]) {
      const { stdout, stderr, exitCode } = await cleanup("--force", "--config", file);
      assert.deepEqual([exitCode, stderr], [0, ""], stdout);
      assert.match(stdout, /^No object of ephemesh is left/m);
    }
  });

  it("with --force warns of a meshd that runs, and does not say that nothing is left", async () => {
    const socket = join(folder, "run/meshd.sock");
    await once(meshd.listen(socket), "listening");
    const refused = await cleanup("--config", configFile);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /A meshd listens on .* Nothing was removed/);
    for (const args of [[], ["--json"]]) {
      const { stdout, stderr, exitCode } = await cleanup("--force", ...args, "--config", configFile);
      assert.equal(exitCode, 0, stderr);
      assert.match(stderr, /^Warning: a meshd listens on .*traffic moves to the standing peering/);
      if (args.length > 0) assert.deepEqual(JSON.parse(stdout).devices, []);
      else assert.match(stdout, /meshd runs and makes objects again/);
      assert.doesNotMatch(stdout, /is left/);
    }
  });
});
