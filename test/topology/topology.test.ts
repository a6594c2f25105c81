import assert from "node:assert/strict";
import fc from "fast-check";
import { meshId, type RegionId, regionId } from "../../agent/model/ids.ts";
import { shortestCycle } from "../../agent/topology/cycle.ts";
import {
  addedLinkId,
  type MeasuredPair,
  planTopology,
  relevantPairs,
  type TopologyRequest,
} from "../../agent/topology/topology.ts";

const id = (n: number): RegionId => regionId.parse(n);
const HUB = id(1);
const SELLERS = [2, 3, 4, 5, 6].map(id);

function request(change: Partial<TopologyRequest> = {}): TopologyRequest {
  const pairs: MeasuredPair[] = [];
  for (let a = 1; a <= 6; a++)
    for (let b = a + 1; b <= 6; b++) pairs.push({ a: id(a), b: id(b), rttMicros: 1000 * (b - a) });
  return {
    mode: "ring",
    kind: "disaster",
    leases: SELLERS.map((seller, i) => ({ buyer: HUB, seller, mbps: 100 - 10 * i })),
    pairs,
    latencyBoundMicros: 1_000_000,
    ...change,
  };
}

describe("topology", () => {
  it("star adds no link", () => assert.deepEqual(planTopology(request({ mode: "star" })).added, []));

  it("full adds every pair of sellers within the bound", () => {
    assert.equal(planTopology(request({ mode: "full" })).added.length, 10);
    const near = planTopology(request({ mode: "full", latencyBoundMicros: 1000 })).added;
    assert.deepEqual(
      near.map(({ a, b }) => [a, b]),
      [
        [2, 3],
        [3, 4],
        [4, 5],
        [5, 6],
      ],
    );
  });

  it("ring: every seller has two added links, so that every participant survives one cut", () => {
    const { added } = planTopology(request());
    for (const seller of SELLERS)
      assert.equal(added.filter(({ a, b }) => a === seller || b === seller).length, 2, `seller ${seller}`);
  });

  it("a buyer may send over an added link the smaller of its two leases", () => {
    for (const { a, b, shares } of planTopology(request()).added)
      assert.deepEqual(shares, [{ buyer: HUB, rateMbps: Math.min(100 - 10 * (a - 2), 100 - 10 * (b - 2)) }]);
  });

  it("auto: roll-out links the two best relays, a small surge gets every pair, a disaster the ring", () => {
    const rollout = planTopology(request({ mode: "auto", kind: "rollout" }));
    assert.deepEqual([rollout.mode, rollout.added.map(({ a, b }) => [a, b])], ["star", [[2, 3]]]);
    assert.equal(planTopology(request({ mode: "auto", kind: "surge" })).mode, "full");
    assert.equal(planTopology(request({ mode: "auto", kind: "disaster" })).mode, "ring");
  });

  it("two sellers get one link, one seller none; a pair nobody measured gets none", () => {
    const few = (count: number) => planTopology(request({ leases: request().leases.slice(0, count) })).added.length;
    assert.deepEqual([few(1), few(2), few(3)], [0, 1, 3]);
    assert.equal(planTopology(request({ pairs: [] })).added.length, 0);
  });

  it("is a pure function: the order of leases and pairs does not matter, so that every party computes the same", () => {
    const expected = planTopology(request());
    fc.assert(
      fc.property(fc.shuffledSubarray(request().pairs as MeasuredPair[], { minLength: 15 }), (pairs) => {
        const found = planTopology(request({ pairs, leases: [...request().leases].reverse() }));
        assert.deepEqual(
          found.added.map(({ a, b }) => [a, b]),
          expected.added.map(({ a, b }) => [a, b]),
        );
      }),
    );
  });

  it("the pairs that count are enough: with them alone every party plans the same", () => {
    const modes = fc.constantFrom("star", "ring", "full", "auto");
    const kinds = fc.constantFrom("disaster", "surge", "rollout");
    fc.assert(
      fc.property(modes, kinds, fc.subarray([...request().pairs]), fc.nat(6000), (mode, kind, pairs, bound) => {
        const all = request({ mode, kind, pairs, latencyBoundMicros: bound });
        const counting = relevantPairs(all);
        assert.ok(counting.every((pair) => pairs.includes(pair)));
        assert.deepEqual(planTopology({ ...all, pairs: counting }), planTopology(all));
      }),
    );
  });

  it("none counts between sellers to different buyers, to the buyer itself, or where no link is added", () => {
    const ends = (change: Partial<TopologyRequest>) => relevantPairs(request(change)).map(({ a, b }) => [a, b]);
    assert.deepEqual(ends({ mode: "star" }), []);
    const leases = [
      { buyer: HUB, seller: id(2), mbps: 10 },
      { buyer: HUB, seller: id(3), mbps: 10 },
      { buyer: id(4), seller: id(5), mbps: 10 },
      { buyer: id(4), seller: id(6), mbps: 10 },
    ];
    assert.deepEqual(ends({ mode: "full", leases }), [
      [2, 3],
      [5, 6],
    ]);
  });

  it("an added link has one id at both ends, and another in another mesh", () => {
    const [one, two] = [meshId.parse(1), meshId.parse(2)];
    assert.equal(addedLinkId(one, id(3), id(2)), addedLinkId(one, id(2), id(3)));
    assert.notEqual(addedLinkId(one, id(2), id(3)), addedLinkId(two, id(2), id(3)));
  });
});

describe("shortest cycle", () => {
  const length = (tour: readonly number[], cost: (i: number, j: number) => number) =>
    tour.reduce((sum, at, k) => sum + cost(at, tour[(k + 1) % tour.length]!), 0);
  const points = (count: number) =>
    fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { minLength: count, maxLength: count });
  const metric = (at: readonly (readonly [number, number])[]) => (i: number, j: number) =>
    Math.hypot(at[i]![0] - at[j]![0], at[i]![1] - at[j]![1]);

  it("is exact up to ten: no permutation of six is shorter", () => {
    fc.assert(
      fc.property(points(6), (at) => {
        const cost = metric(at);
        let best = Number.POSITIVE_INFINITY;
        const extend = (tour: number[]) => {
          if (tour.length === 6) best = Math.min(best, length(tour, cost));
          for (let i = 1; i < 6; i++) if (!tour.includes(i)) extend([...tour, i]);
        };
        extend([0]);
        assert.ok(Math.abs(length(shortestCycle(6, cost), cost) - best) < 1e-6);
      }),
      { numRuns: 60 },
    );
  });

  it("visits everybody once, whatever the number", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }).chain(points), (at) => {
        assert.deepEqual(
          [...shortestCycle(at.length, metric(at))].sort((a, b) => a - b),
          at.map((_, i) => i),
        );
      }),
      { numRuns: 60 },
    );
  });
});
