import assert from "node:assert/strict";
import fc from "fast-check";
import { type RegionId, regionId } from "../../agent/model/ids.ts";
import { type NodePair, planChords } from "../../agent/topology/chords.ts";
import {
  type LeaseEdge,
  type MeasuredPair,
  planTopology,
  type Topology,
  type TopologyRequest,
} from "../../agent/topology/topology.ts";

const id = (n: number): RegionId => regionId.parse(n);

/** One or two buyers, up to eight regions, round trips that need not obey the triangle inequality, some not measured. */
const requests = fc
  .record({ regions: fc.integer({ min: 2, max: 8 }), buyers: fc.integer({ min: 1, max: 2 }) })
  .chain(({ regions, buyers }) =>
    fc
      .record({
        rtts: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: regions ** 2, maxLength: regions ** 2 }),
        unmeasured: fc.subarray(
          Array.from({ length: regions ** 2 }, (_, i) => i),
          { maxLength: 4 },
        ),
        latencyBoundMicros: fc.integer({ min: 15, max: 60 }),
        // The second buyer has only some of the sellers.
        ofSecond: fc.subarray(Array.from({ length: regions }, (_, i) => i + 1)),
      })
      .map(({ rtts, unmeasured, latencyBoundMicros, ofSecond }): TopologyRequest => {
        const leases: LeaseEdge[] = [];
        for (let seller = 2; seller <= regions; seller++) leases.push({ buyer: id(1), seller: id(seller), mbps: 10 });
        if (buyers === 2)
          for (const seller of ofSecond) if (seller !== 2) leases.push({ buyer: id(2), seller: id(seller), mbps: 20 });
        const pairs: MeasuredPair[] = [];
        for (let a = 1; a <= regions; a++)
          for (let b = a + 1; b <= regions; b++) {
            const at = (a - 1) * regions + b - 1;
            if (!unmeasured.includes(at)) pairs.push({ a: id(a), b: id(b), rttMicros: rtts[at]! });
          }
        return { mode: "auto", kind: "disaster", leases, pairs, latencyBoundMicros };
      }),
  );

/** Directions of one buyer's links in this topology, and whether RFC 5286's inequality 1 gives each an alternate. */
function alternatesOf(request: TopologyRequest, { added }: Topology, buyer: RegionId): Map<string, boolean> {
  const lengthOf = (a: RegionId, b: RegionId) =>
    request.pairs.find((pair) => (pair.a === a && pair.b === b) || (pair.a === b && pair.b === a))?.rttMicros ??
    request.latencyBoundMicros;
  const links = [
    ...request.leases.filter((lease) => lease.buyer === buyer).map(({ seller }) => [buyer, seller] as const),
    ...added.filter(({ shares }) => shares.some((share) => share.buyer === buyer)).map(({ a, b }) => [a, b] as const),
  ].flatMap(([a, b]) => [[a, b] as const, [b, a] as const]);
  const nodes = [...new Set(links.flat())];
  const distance = new Map<string, number>(
    nodes.flatMap((a) => nodes.map((b) => [`${a} ${b}`, a === b ? 0 : 1e9] as const)),
  );
  for (const [a, b] of links) distance.set(`${a} ${b}`, lengthOf(a, b));
  const d = (a: RegionId, b: RegionId) => distance.get(`${a} ${b}`)!;
  for (const via of nodes)
    for (const a of nodes) for (const b of nodes) distance.set(`${a} ${b}`, Math.min(d(a, b), d(a, via) + d(via, b)));
  return new Map(
    links.map(([s, e]) => [
      `${s} ${e}`,
      links.some(([from, n]) => from === s && n !== e && d(n, e) < d(n, s) + d(s, e)),
    ]),
  );
}

const pairsOf = ({ added }: Topology) => added.map(({ a, b }) => `${a} ${b}`);
const sizeOf = ({ leases }: TopologyRequest) => new Set(leases.flatMap(({ buyer, seller }) => [buyer, seller])).size;

describe("chords", () => {
  it("after them every link has a loop-free alternate if the full mesh has one for it, or the limit is named", () => {
    fc.assert(
      fc.property(requests, (request) => {
        const [auto, full] = [planTopology(request), planTopology({ ...request, mode: "full" })];
        if (/at most/.test(auto.reason)) {
          const ring = planTopology({ ...request, mode: "ring" });
          return assert.equal(auto.added.length - ring.added.length, sizeOf(request));
        }
        let uncovered = 0;
        for (const buyer of new Set(request.leases.map((lease) => lease.buyer))) {
          const inFull = alternatesOf(request, full, buyer);
          const without = [...alternatesOf(request, auto, buyer)].filter(([, has]) => !has).map(([link]) => link);
          for (const link of without) assert.equal(inFull.get(link), false, `${link}: ${auto.reason}`);
          uncovered += new Set(without.map((link) => link.split(" ").sort().join())).size;
        }
        assert.equal(/every link has/.test(auto.reason), uncovered === 0, auto.reason);
        if (uncovered > 0) assert.match(auto.reason, new RegExp(`alternate: ${uncovered}$`));
      }),
      { numRuns: 1000 },
    );
  });

  it("they come on top of the ring, never more than there are participants, and never a link that `full` has not", () => {
    fc.assert(
      fc.property(requests, (request) => {
        const [auto, ring, full] = [request.mode, "ring" as const, "full" as const].map((mode) =>
          pairsOf(planTopology({ ...request, mode })),
        ) as [string[], string[], string[]];
        assert.deepEqual(
          ring.filter((pair) => !auto.includes(pair)),
          [],
        );
        assert.deepEqual(
          auto.filter((pair) => !full.includes(pair)),
          [],
        );
        assert.ok(auto.length - ring.length <= sizeOf(request));
      }),
    );
  });

  it("every participant plans the same, in whatever order it knows leases and pairs", () => {
    fc.assert(
      fc.property(
        requests.chain((request) =>
          fc.record({
            request: fc.constant(request),
            leases: fc.shuffledSubarray([...request.leases], { minLength: request.leases.length }),
            pairs: fc.shuffledSubarray([...request.pairs], { minLength: request.pairs.length }),
          }),
        ),
        ({ request, leases, pairs }) =>
          assert.deepEqual(planTopology({ ...request, leases, pairs }), planTopology(request)),
      ),
      { numRuns: 2000 },
    );
  });

  it("a ring that was asked for is a ring: no chords, and nothing is said of alternates", () => {
    fc.assert(
      fc.property(requests, (request) => {
        const { reason, added } = planTopology({ ...request, mode: "ring" });
        assert.equal(reason, "ring: asked for");
        if (request.leases.every(({ buyer }) => buyer === 1)) assert.ok(added.length <= sizeOf(request));
      }),
    );
  });

  it("the result planned anew needs no chord: distances that each chord updates are those computed at once", () => {
    const sellers = 11;
    const numbers = Array.from({ length: sellers }, (_, i) => i + 1);
    const pairs = numbers.flatMap((a) => numbers.slice(a).map((b): NodePair => [a, b]));
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 144, maxLength: 144 }),
        fc.integer({ min: 0, max: 20 }),
        (rtts, maxChords) => {
          const roundTrip = (a: number, b: number) => rtts[Math.min(a, b) * 12 + Math.max(a, b)]!;
          const links = [...numbers.map((b): NodePair => [0, b]), ...pairs.filter(([a, b]) => b - a === 1)];
          const candidates = pairs.filter(([a, b]) => b - a > 1);
          const plan = planChords({ nodes: sellers + 1, links, candidates, maxChords, roundTrip });
          const all = [...links, ...plan.added];
          const anew = planChords({ nodes: sellers + 1, links: all, candidates, maxChords: 0, roundTrip });
          assert.deepEqual({ ...anew, added: plan.added }, plan);
        },
      ),
      { numRuns: 200 },
    );
  });

  const SPOKES: NodePair[] = [1, 2, 3, 4].map((seller) => [0, seller]);
  const RING: NodePair[] = [
    [1, 2],
    [2, 3],
    [3, 4],
    [1, 4],
  ];
  /** A buyer (0) and a ring of four sellers; round trips by pair. */
  const chordsFor = (roundTrips: Readonly<Record<string, number>>, maxChords = 9) =>
    planChords({
      nodes: 5,
      links: [...SPOKES, ...RING],
      candidates: [
        [1, 3],
        [2, 4],
      ],
      maxChords,
      roundTrip: (a, b) => roundTrips[`${Math.min(a, b)}-${Math.max(a, b)}`]!,
    });
  const spokes = (...roundTrips: number[]) => Object.fromEntries(roundTrips.map((rtt, i) => [`0-${i + 1}`, rtt]));

  it("a seller that all others reach through the hub gets a chord to its nearest neighbour; without chords its link is counted as coverable", () => {
    const around = { "1-2": 20, "2-3": 20, "3-4": 20, "1-4": 20 };
    const roundTrips = { ...spokes(10, 10, 10, 10), ...around, "1-3": 100, "2-4": 5 };
    assert.deepEqual(chordsFor(roundTrips), { added: [[2, 4]], uncovered: 2, coverable: 0 });
    assert.deepEqual(chordsFor(roundTrips, 0), { added: [], uncovered: 4, coverable: 2 });
  });

  it("the chord that covers the most links comes first, even if another is shorter", () => {
    const around = { "1-2": 2, "2-3": 3, "3-4": 9, "1-4": 5 };
    const roundTrips = { ...spokes(8, 5, 8, 2), ...around, "1-3": 4, "2-4": 8 };
    assert.deepEqual(chordsFor(roundTrips), { added: [[2, 4]], uncovered: 0, coverable: 0 });
  });
});
