import assert from "node:assert/strict";
import fc from "fast-check";
import { demandOf, triggerRequest } from "../../agent/trigger/demand.ts";

const rollout = (rest: object) => triggerRequest.parse({ kind: "rollout", ...rest });

describe("demand of a trigger", () => {
  it("capacity that was asked for is what is wanted", () => {
    const demand = demandOf(rollout({ mbps: 80, durationSeconds: 300 }), 5);
    assert.deepEqual([demand?.demandMbps, demand?.durationSeconds], [80, 300]);
  });

  it("size and deadline give the demand: what is asked for arrives in time at 95 % of the rate", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.integer({ min: 40, max: 86_400 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 0, max: 30 }),
        (sizeBytes, deadlineSeconds, copies, setUpSeconds) => {
          const demand = demandOf(rollout({ sizeBytes, deadlineSeconds, copies }), setUpSeconds);
          assert.ok(demand);
          const megabits = (mbps: number) => mbps * 0.95 * (deadlineSeconds - setUpSeconds);
          const wanted = (sizeBytes * 8 * copies) / 1e6;
          assert.ok(megabits(demand.demandMbps) >= wanted * (1 - 1e-9), "in time");
          assert.ok(demand.demandMbps === 1 || megabits(demand.demandMbps - 1) < wanted, "and no more than that");
        },
      ),
    );
  });

  it("a deadline that the set-up alone uses up gives no demand", () => {
    assert.equal(demandOf(rollout({ sizeBytes: 1e6, deadlineSeconds: 30 }), 30), null);
  });

  it("a request that says neither capacity nor size and deadline is refused, and so is what is not known", () => {
    for (const bad of [
      {},
      { sizeBytes: 5 },
      { deadlineSeconds: 60 },
      { mbps: 0 },
      { mbps: 1.5 },
      { mbps: 80, durationSeconds: 1 },
      { mbps: 80, topology: "tree" },
      { mbps: 80, topologie: "star" },
      { mbps: 80, requestId: "" },
    ])
      assert.equal(triggerRequest.safeParse({ kind: "rollout", ...bad }).success, false, JSON.stringify(bad));
    assert.equal(triggerRequest.safeParse({ kind: "party", mbps: 80 }).success, false);
  });
});
