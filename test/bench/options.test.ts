import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { execa } from "execa";

const BENCH = new URL("../../bench/", import.meta.url).pathname;

describe("options of a benchmark", () => {
  const simulate = join(BENCH, "simulate.ts");
  const refused = async (...args: string[]): Promise<string> => {
    const { exitCode, stderr } = await execa(process.execPath, [simulate, ...args], { reject: false });
    assert.equal(exitCode, 2);
    assert.doesNotMatch(stderr, /^ +at /m, "no stack");
    return stderr;
  };

  it("an unknown option is named, with the known ones", async () => {
    const said = await refused("--runs", "3");
    assert.match(said, /^scripts\/bench simulate: Unknown option '--runs'\. Nothing was done\.$/m);
    assert.match(said, /--faults, --cuts/);
  });

  it("an invalid number and a file that cannot be written are reported before anything is measured", async () => {
    assert.match(await refused("--cuts", "many"), /--cuts many is not a whole number/);
    assert.match(await refused("--json", "/nowhere/figures.json"), /cannot be written: \/nowhere is not a writable/);
  });

  for (const file of globSync("*.ts", { cwd: BENCH }).sort())
    it(`${basename(file, ".ts")} --help describes each option, the duration and what is needed, and measures nothing`, async () => {
      const { stdout } = await execa(process.execPath, [join(BENCH, file), "--help"]);
      assert.match(stdout, new RegExp(`^Usage: scripts/bench ${basename(file, ".ts")} `));
      const used = readFileSync(join(BENCH, file), "utf8").matchAll(/\b(?:options|values)\.(?!ts\b)(\w+)/g);
      for (const [, option] of used) assert.match(stdout, new RegExp(`^  --${option}\\b.*  \\w`, "m"));
      assert.match(stdout, /^Duration: \S.*\nNeeds: \S/m);
    });
});
