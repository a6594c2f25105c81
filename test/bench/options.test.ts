import assert from "node:assert/strict";
import { execa } from "execa";

describe("options of a benchmark", () => {
  const simulate = new URL("../../bench/simulate.ts", import.meta.url).pathname;
  const refused = async (...args: string[]): Promise<string> => {
    const { exitCode, stderr } = await execa(process.execPath, [simulate, ...args], { reject: false });
    assert.equal(exitCode, 2);
    assert.doesNotMatch(stderr, /^ +at /m, "no stack");
    return stderr;
  };

  it("one that it does not know is named, with those that it does", async () => {
    const said = await refused("--runs", "3");
    assert.match(said, /^scripts\/bench simulate: Unknown option '--runs'\. Nothing was done\.$/m);
    assert.match(said, /--faults, --cuts/);
  });

  it("a number that is none, and figures that could not be written, are said before anything is measured", async () => {
    assert.match(await refused("--cuts", "many"), /--cuts many is no whole number/);
    assert.match(await refused("--json", "/nowhere/figures.json"), /cannot be written, because of \/nowhere/);
  });
});
