import assert from "node:assert/strict";
import { execa } from "execa";

const PROCESS = new URL("./helpers/eni-listeners-process.ts", import.meta.url).pathname;

describe("control/eni-listeners", function () {
  this.timeout(20_000);

  it("one follows its interface when that is made anew under its name, and goes with it", async () => {
    const namespaces = ["--user", "--map-root-user", "--net"];
    const { stdout } = await execa("unshare", [...namespaces, process.execPath, PROCESS]);
    const [before, anew, gone] = stdout.split("\n");
    assert.deepEqual([before, anew], ["region 2", "region 2"]);
    assert.match(gone ?? "", /ECONNREFUSED/);
  });
});
