import { strict as assert } from "node:assert";
import fc from "fast-check";
import { BUCKET_GROUPS } from "../../../agent/meshd/kernel/marks.ts";
import { alternateOf, isLoopFree, repairChoice, repairSpread } from "../../../agent/meshd/routing/alternate.ts";
import type { Candidate } from "../../../agent/meshd/routing/choice.ts";
import { assign, decideSpread, type Spread } from "../../../agent/meshd/routing/spread.ts";
import type { RegionId } from "../../../agent/model/ids.ts";

const candidate = (tag: string, costMicros: number, kbps = 100_000, onwardMicros = costMicros / 2): Candidate => ({
  tag,
  neighbour: tag.charCodeAt(0) as RegionId,
  costMicros,
  onwardMicros,
  backMicros: costMicros - onwardMicros,
  kbps,
});
const count = (bucketGroups: readonly string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(bucketGroups, (tag) => tag)].map(([tag, each]) => [tag, each.length]));
const started = (...candidates: Candidate[]): Spread => {
  const { spread } = decideSpread(null, candidates, 1_000_000, 0);
  assert.ok(spread);
  return spread;
};

describe("spread of bulk over next hops", () => {
  const candidates = fc
    .uniqueArray(
      fc.record({
        tag: fc.constantFrom("a", "b", "c", "d", "e", "f"),
        costMicros: fc.integer({ min: 10_000, max: 900_000 }),
        kbps: fc.integer({ min: 1_000, max: 1_000_000 }),
        onward: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      { selector: ({ tag }) => tag, maxLength: 6 },
    )
    .map((list) =>
      list.map(({ tag, costMicros, kbps, onward }) => candidate(tag, costMicros, kbps, costMicros * onward)),
    );

  it("is in proportion to capacity, to the nearest group", () => {
    assert.deepEqual(count(started(candidate("a", 640_000), candidate("b", 640_000)).bucketGroups), { a: 4, b: 4 });
    assert.deepEqual(count(started(candidate("a", 1e5, 100_000), candidate("b", 1e5, 300_000)).bucketGroups), {
      a: 2,
      b: 6,
    });
    const three = started(candidate("a", 3e5), candidate("b", 2e5), candidate("c", 1e5), candidate("d", 4e5));
    assert.deepEqual(Object.keys(count(three.bucketGroups)).sort(), ["a", "b", "c"]);
    fc.assert(
      fc.property(
        candidates.filter((list) => list.length > 0),
        (list) => {
          const total = list.reduce((sum, { kbps }) => sum + kbps, 0);
          const bucketGroups = count(assign([], list));
          for (const { tag, kbps } of list) {
            const exact = (BUCKET_GROUPS.bulk * kbps) / total;
            assert.ok(Math.abs((bucketGroups[tag] ?? 0) - exact) < 1, `${tag}: ${bucketGroups[tag]} of ${exact}`);
          }
        },
      ),
    );
  });

  it("only downstream links are used, at most three, and every group has one", () => {
    fc.assert(
      fc.property(
        candidates,
        candidates,
        fc.integer({ min: 1, max: 900_000 }),
        fc.nat(9_000),
        (old, list, own, now) => {
          const before = decideSpread(null, old, own, 0).spread;
          const { spread } = decideSpread(before, list, own, now);
          const downstream = list.filter(({ onwardMicros }) => onwardMicros < own).map(({ tag }) => tag);
          if (!spread) return assert.deepEqual(downstream, []);
          assert.equal(spread.bucketGroups.length, BUCKET_GROUPS.bulk);
          assert.ok(spread.bucketGroups.every((tag) => downstream.includes(tag)));
          assert.ok(new Set(spread.bucketGroups).size <= 3);
        },
      ),
    );
  });

  it("a group keeps its link while that is up and downstream; the bucket groups of a lost one move at once, and no others", () => {
    const three = [candidate("a", 3e5), candidate("b", 2e5), candidate("c", 1e5)];
    const before = started(...three);
    const left = three.filter(({ tag }) => tag !== "b");
    const { spread, reason } = decideSpread(before, left, 1_000_000, 1);
    assert.match(reason ?? "", /was lost/);
    before.bucketGroups.forEach((tag, group) => {
      if (tag !== "b") assert.equal(spread?.bucketGroups[group], tag);
      else assert.notEqual(spread?.bucketGroups[group], "b");
    });
    const upstream = three.map((each) => (each.tag === "b" ? { ...each, onwardMicros: 2_000_000 } : each));
    assert.match(decideSpread(before, upstream, 1_000_000, 1).reason ?? "", /no longer closer/);
  });

  it("a link that comes, or capacity that changes, must hold for 1 s", () => {
    const before = started(candidate("a", 2e5));
    const both = [candidate("a", 2e5), candidate("b", 2e5)];
    const first = decideSpread(before, both, 1_000_000, 0);
    assert.deepEqual([first.reason, first.recomputeAtMillis], [null, 1_000]);
    assert.equal(decideSpread(first.spread, both, 1_000_000, 999).reason, null);
    const { spread } = decideSpread(first.spread, both, 1_000_000, 1_000);
    assert.deepEqual(count(spread?.bucketGroups ?? []), { a: 4, b: 4 });
    const gone = decideSpread(first.spread, [candidate("a", 2e5)], 1_000_000, 500);
    assert.equal(gone.spread?.better, null, "what did not hold begins anew");
  });

  it("bucket groups that moved at once to links in use move to better ones once these are better for 1 s, even if nothing else changes", () => {
    fc.assert(
      fc.property(candidates, candidates, fc.integer({ min: 1, max: 900_000 }), (old, list, own) => {
        let now = 10_000;
        let decision = decideSpread(decideSpread(null, old, own, 0).spread, list, own, now);
        for (let looks = 0; decision.recomputeAtMillis !== null; looks++) {
          assert.ok(looks < 10 && decision.recomputeAtMillis > now);
          now = decision.recomputeAtMillis;
          decision = decideSpread(decision.spread, list, own, now);
        }
        const longAfter = decideSpread(decision.spread, list, own, now + 60_000);
        assert.deepEqual(longAfter.spread?.bucketGroups, decision.spread?.bucketGroups);
        assert.equal(decideSpread(longAfter.spread, list, own, now + 120_000).reason, null);
      }),
    );
  });

  it("a turn to fewer links than before lets others in, and they are wished for at once", () => {
    const before = started(candidate("c", 10_000, 1_000, 0));
    const list = [
      candidate("e", 10_000, 1_000, 0),
      candidate("a", 10_000, 22_001, 0),
      candidate("c", 10_001, 1_000, 0),
      candidate("f", 10_000, 1_001, 0),
    ];
    const waiting = decideSpread(before, list, 1, 10_000);
    const turned = decideSpread(waiting.spread, list, 1, 11_000);
    assert.deepEqual([count(turned.spread?.bucketGroups ?? []), turned.recomputeAtMillis], [{ a: 8 }, 12_000]);
    assert.deepEqual(count(decideSpread(turned.spread, list, 1, 12_000).spread?.bucketGroups ?? []), { a: 7, f: 1 });
  });

  it("the bucket groups of a path that got much worse move at once, but only once in 5 s", () => {
    const before = started(candidate("a", 2e5), candidate("b", 2e5));
    const worse = [candidate("a", 2e6, 10_000, 5e5), candidate("b", 2e5)];
    const fled = decideSpread(before, worse, 1_000_000, 10_000);
    assert.match(fled.reason ?? "", /got worse/);
    assert.deepEqual(count(fled.spread?.bucketGroups ?? []), { a: 1, b: 7 });
    const swapped = [candidate("a", 2e5), candidate("b", 2e6, 10_000, 5e5)];
    assert.equal(decideSpread(fled.spread, swapped, 1_000_000, 11_000).reason, null);
    // Worse than it ever was since, not than when it was chosen.
    const cheaper = decideSpread(before, [candidate("a", 5e4), candidate("b", 2e5)], 1_000_000, 9_000).spread;
    const again = decideSpread(cheaper, [candidate("a", 1.9e5), candidate("b", 2e5)], 1_000_000, 10_000).spread;
    assert.equal(again?.minCosts.get("a"), 5e4);
  });
});

describe("local repair", () => {
  it("RFC 5286, inequality 1, for a single path; for bulk the neighbour must be no farther than we were", () => {
    const through = { ...candidate("a", 30_000), onwardMicros: 20_000, backMicros: 10_000 };
    assert.ok(!isLoopFree(through, 10_000, false), "its own best way may lead through us");
    assert.ok(isLoopFree(through, 10_001, false));
    assert.ok(!isLoopFree(through, 10_001, true), "it may spread over us");
    assert.ok(isLoopFree(through, 20_000, true));
  });

  it("turns to the best alternate that cannot loop, or waits", () => {
    const choice = { tag: "a", neighbour: 97 as RegionId, minCostMicros: 1, better: null, urgentChangeAtMillis: null };
    const looping = { ...candidate("b", 20_000), onwardMicros: 15_000, backMicros: 1_000 };
    assert.equal(repairChoice(choice, [looping], 10_000), null);
    const safe = [looping, candidate("c", 40_000), candidate("d", 30_000)];
    assert.equal(repairChoice(choice, safe, 40_000)?.state.tag, "b");
    assert.equal(alternateOf(safe, "a", 10_000)?.tag, "d");
    assert.match(repairChoice(choice, safe, 10_000)?.reason ?? "", /loop-free alternate via 100 costs 30\.0 ms/);
  });

  it("of a spread, the bucket groups of a lost link move to the links in use, or else to a loop-free one", () => {
    const three = [candidate("a", 3e5), candidate("b", 2e5), candidate("c", 1e5)];
    const spread = started(...three);
    const repaired = repairSpread(spread, three.slice(1), 1_000_000);
    assert.ok(repaired);
    assert.deepEqual(Object.keys(count(repaired.state.bucketGroups)).sort(), ["b", "c"]);
    spread.bucketGroups.forEach((tag, group) => {
      if (tag !== "a") assert.equal(repaired.state.bucketGroups[group], tag);
    });
    const other = repairSpread(started(three[0] ?? candidate("a", 1)), [candidate("z", 5e5)], 1_000_000);
    assert.deepEqual(count(other?.state.bucketGroups ?? []), { z: BUCKET_GROUPS.bulk });
    assert.equal(repairSpread(spread, [candidate("z", 5e6)], 1_000_000), null);
  });
});
