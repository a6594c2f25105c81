import assert from "node:assert/strict";
import { ChainClock } from "../../agent/chain/clock.ts";

/** What the journal keeps for one boot of the machine. */
function kept() {
  const times = new Map<number, number>();
  let writes = 0;
  const journal = {
    load: () => new Map(times),
    save: (second: number, millis: number) => {
      writes++;
      times.set(second, millis);
    },
  };
  return { journal, writes: () => writes };
}

describe("the chain's clock", () => {
  it("is set by a block, and stays set over a restart while no block comes", () => {
    const { journal } = kept();
    const clock = new ChainClock(journal);
    assert.ok(!clock.isSet);
    clock.observe(1_000, 5_000);
    assert.deepEqual([clock.nowSeconds(6_000), clock.toMonotonicMillis(1_010)], [1_001, 15_000]);
    const restarted = new ChainClock(journal);
    assert.ok(restarted.isSet);
    assert.deepEqual([restarted.nowSeconds(7_000), restarted.toMonotonicMillis(1_020)], [1_002, 25_000]);
    restarted.observe(1_000, 300_000);
    assert.equal(restarted.nowSeconds(305_000), 1_300, "a chain that stands still, seen again, is no new time");
  });

  it("blocks arrive late, never early: the least difference counts, and what it gains is kept where it is worth a write", () => {
    const { journal, writes } = kept();
    const clock = new ChainClock(journal);
    clock.observe(1_000, 5_400);
    clock.observe(1_001, 6_350);
    assert.equal(writes(), 1);
    clock.observe(1_002, 7_000);
    assert.equal(writes(), 2);
    clock.observe(1_003, 8_900);
    assert.equal(clock.nowSeconds(9_000), 1_004);
    assert.equal(new ChainClock(journal).nowSeconds(9_000), 1_004);
  });

  it("a time once said is not said otherwise", () => {
    const { journal } = kept();
    const clock = new ChainClock(journal);
    clock.observe(1_000, 5_400);
    const end = clock.toMonotonicMillis(2_000);
    clock.observe(1_001, 6_000);
    assert.equal(clock.toMonotonicMillis(2_000), end);
    assert.equal(new ChainClock(journal).toMonotonicMillis(2_000), end);
  });
});
