import assert from "node:assert/strict";
import { backoff, withJitter } from "../../agent/model/backoff.ts";

describe("back-off", () => {
  it("doubles with each failure in a row, up to the maximum", () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 2000].map((failures) => backoff(failures, 100, 1000)),
      [100, 200, 400, 800, 1000, 1000],
    );
  });

  it("jitter changes a pause by at most the given share of it", () => {
    const pauses = Array.from({ length: 1000 }, () => withJitter(100, 0.25));
    assert.ok(pauses.every((pause) => pause >= 75 && pause <= 125));
    assert.ok(new Set(pauses).size > 1);
  });
});
