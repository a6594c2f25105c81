import assert from "node:assert/strict";
import { TokenBucket } from "../../agent/model/token-bucket.ts";

describe("token bucket", () => {
  it("allows a burst at once, then the rate; what is refused costs nothing", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0);
    assert.deepEqual(
      Array.from({ length: 5 }, () => bucket.take(0)),
      [true, true, true, false, false],
    );
    // Twice the rate for a second: every other one passes, however many are refused.
    const passed = Array.from({ length: 20 }, (_, i) => bucket.take(50 * (i + 1))).filter(Boolean);
    assert.equal(passed.length, 10);
  });

  it("fills up to the burst and not further", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0);
    assert.equal(Array.from({ length: 10 }, () => bucket.take(60_000)).filter(Boolean).length, 3);
  });
});
