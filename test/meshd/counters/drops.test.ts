import { strict as assert } from "node:assert";
import { pino } from "pino";
import { type DropCounts, Drops, NO_DROPS } from "../../../agent/meshd/counters/drops.ts";
import { deviceCounter, droppedBy, policerCounter } from "../../../agent/meshd/steering/drop-counters.ts";

const DEVICE = "eph0123456789ab";

describe("drop counters", () => {
  let kernel: DropCounts = new Map();
  const log = pino({ level: "silent" });
  const set = (counts: Partial<typeof NO_DROPS>): void => {
    kernel = new Map([[DEVICE, { ...NO_DROPS, ...counts }]]);
  };

  it("totals go on where the kernel counts from zero again", async () => {
    const drops = new Drops(log, async () => kernel);
    set({ policer: 5, unauthorised: 2 });
    assert.deepEqual((await drops.read(0)).get(DEVICE), { ...NO_DROPS, policer: 5, unauthorised: 2 });
    set({ policer: 8, unauthorised: 1 });
    assert.deepEqual((await drops.read(5_000)).get(DEVICE), { ...NO_DROPS, policer: 8, unauthorised: 3 });
  });

  it("the kernel is read at most every 5 s, and a device that is gone is forgotten", async () => {
    let reads = 0;
    const drops = new Drops(log, async () => {
      reads++;
      return kernel;
    });
    set({ shaper: 1 });
    await drops.read(0);
    for (const millis of [1, 1_000, 4_999]) await drops.read(millis);
    assert.equal(reads, 1);
    kernel = new Map();
    assert.equal((await drops.read(5_000)).size, 0);
    assert.equal(reads, 2);
  });

  it("a tool that fails leaves the last totals and is tried again later", async () => {
    let fails = false;
    const drops = new Drops(log, async () => {
      if (fails) throw new Error("nft failed");
      return kernel;
    });
    set({ strayed: 4 });
    await drops.read(0);
    fails = true;
    assert.equal((await drops.read(5_000)).get(DEVICE)?.strayed, 4);
    fails = false;
    set({ strayed: 6 });
    assert.equal((await drops.read(10_000)).get(DEVICE)?.strayed, 6);
  });

  it("the name of a counter says device and reason; other counters are not ours", () => {
    assert.deepEqual(droppedBy(policerCounter(DEVICE, 12)), { by: "policer", device: DEVICE });
    assert.deepEqual(droppedBy(deviceCounter("toRouter", DEVICE)), { by: "toRouter", device: DEVICE });
    for (const name of ["unauthorised", "policer_eth0_1", `other_${DEVICE}`]) assert.equal(droppedBy(name), null);
  });
});
