import assert from "node:assert/strict";
import { execa } from "execa";

const MODEL_CHECK = new URL("../../bench/model-check.ts", import.meta.url).pathname;

describe("benchmarks: model checking", () => {
  const verdict = async (claim: string) => (await execa(process.execPath, [MODEL_CHECK, "--only", claim])).stdout;

  it("a claim about a library compiles and is proved, a false one is refuted", async () => {
    assert.match(await verdict("round-up"), /proved/);
    assert.match(await verdict("planted-rounding"), /refuted/);
  });
});
