import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ATTRIBUTE, signLsa } from "../../../agent/meshd/routing/lsa.ts";
import type { RegionId } from "../../../agent/model/ids.ts";
import { TRAFFIC_CLASSES } from "../../../agent/model/traffic-class.ts";
import { runFaults } from "./faults.ts";
import { bestCost } from "./oracle.ts";
import { Simulator } from "./simulator.ts";
import { randomOf, randomWorld, untruths } from "./worlds.ts";

const link = (a: number, b: number, more: { rttMicros?: number; kbps?: number; attributes?: number } = {}) => ({
  a,
  b,
  rttMicros: 10_000,
  lossPpm: 0,
  kbps: 100_000,
  ...more,
});
const diamond = [link(1, 2), link(2, 4), link(1, 3), link(3, 4)];

describe("routing, whole worlds under simulated time", function () {
  this.timeout(60_000);

  it("each class finds the all-paths oracle's cost on random graphs of up to 12 nodes, bulk over every downstream path", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), (nodes, seed) => {
        const random = randomOf(seed);
        const world = new Simulator({
          ...randomWorld(nodes, Math.round(nodes * 1.6), random),
          classes: TRAFFIC_CLASSES,
          computeMillis: 100,
        });
        world.until(8_000);
        assert.deepEqual(untruths(world), []);
        const all = new Set(world.nodes.map(({ id }) => id));
        for (const { id, core } of world.nodes.slice(0, 3)) {
          for (const { destination, costMicros, trafficClass } of core.routes) {
            if (trafficClass !== "interactive") continue;
            const truth = bestCost(world.links, id, destination, all);
            assert.ok(costMicros !== null && costMicros >= truth && costMicros <= truth * 1.15 + 1_000);
          }
        }
      }),
      { numRuns: 12 },
    );
  });

  it("under random faults no loop outlasts one flooding time, and the standstill after them is the oracle's", () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 14 }), fc.nat(), (nodes, seed) => {
        const run = runFaults(nodes, 8, false, randomOf(seed));
        assert.deepEqual(run.wrong, []);
        const longest = Math.max(0, ...run.loops.map(({ lastedMillis }) => lastedMillis));
        assert.ok(longest <= run.floodingMillis + 5, `${longest} ms, flooding takes ${run.floodingMillis} ms`);
      }),
      {
        numRuns: 10,
        examples: [
          [10, 12],
          [4, 102_234],
        ],
      },
    );
  });

  it("with lost messages, stalls and origins that lie, too, it ends at the oracle's answer", () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 14 }), fc.nat(), (nodes, seed) => {
        assert.deepEqual(runFaults(nodes, 8, true, randomOf(seed)).wrong, []);
      }),
      { numRuns: 10 },
    );
  });

  it("bulk uses both sides of a diamond; when one is lost its bucket groups move before the loss is flooded", () => {
    const world = new Simulator({ nodes: 4, links: diamond, classes: TRAFFIC_CLASSES });
    world.until(5_000);
    const route = world.routeOf(1, 4, "bulk");
    assert.equal(new Set(route?.bucketGroups).size, 2);
    assert.ok(world.routeOf(1, 4, "critical")?.backup, "critical keeps a backup");
    const cut = world.links[0];
    assert.ok(cut);
    const messages = world.messages;
    let toldBefore = 0;
    world.onRoutes = () => {
      toldBefore ||= world.messages - messages + 1;
    };
    world.setUp(cut, false);
    world.until(world.nowMillis + 150);
    for (const each of TRAFFIC_CLASSES) assert.deepEqual(world.walk(1, 4, each), { path: [1, 3, 4], end: "there" });
    assert.equal(toldBefore, 1, "the repair came before any message");
  });

  it("what a class requires of a link prunes, and never weighs", () => {
    const slow = [
      link(1, 2, { attributes: 0 }),
      link(1, 3, { rttMicros: 200_000 }),
      link(3, 2, { rttMicros: 200_000 }),
    ];
    const strict = new Simulator({ nodes: 3, links: slow, required: ATTRIBUTE.postQuantum });
    strict.until(3_000);
    assert.deepEqual(strict.walk(1, 2).path, [1, 3, 2]);
    const any = new Simulator({ nodes: 3, links: slow });
    any.until(3_000);
    assert.deepEqual(any.walk(1, 2).path, [1, 2]);
    const none = new Simulator({ nodes: 2, links: [link(1, 2, { attributes: 0 })], required: ATTRIBUTE.postQuantum });
    none.until(3_000);
    assert.deepEqual(none.routeOf(1, 2)?.bucketGroups, []);
  });

  it("a region that is about to go says no transit: others lead nothing through it, and still reach it", () => {
    const world = new Simulator({ nodes: 4, links: diamond, classes: ["interactive"] });
    world.until(3_000);
    const [, through = 0] = world.walk(1, 4).path;
    world.retire(through);
    world.until(world.nowMillis + 100);
    const { path, end } = world.walk(1, 4);
    assert.equal(end, "there");
    assert.ok(!path.includes(through), `${path}`);
    assert.equal(world.walk(1, through).end, "there");
  });

  it("a link that flaps for 20 s makes few changes, and none without a reason that has figures", () => {
    const world = new Simulator({ nodes: 4, links: diamond, classes: TRAFFIC_CLASSES });
    world.until(5_000);
    const flapping = world.links[0];
    assert.ok(flapping);
    const before = world.changes.length;
    for (let round = 0; round < 40; round++) {
      flapping.rttMicros = round % 2 === 0 ? 120_000 : 10_000;
      world.remeasure();
      world.until(world.nowMillis + 500);
    }
    // Four nodes, three classes, three destinations.
    const changes = world.changes.length - before;
    assert.ok(changes <= 4 * 12, `${changes} changes of 36 routes in 20 s`);
    assert.ok(world.changes.every(({ reason }) => /\d/.test(reason) || reason.startsWith("no path")));
  });

  it("advertisements with absurd values, too large, or stale are refused, even if signed correctly", () => {
    const world = new Simulator({ nodes: 3, links: [link(1, 2), link(2, 3)] });
    world.until(3_000);
    const liar = world.node(2);
    const own = [...liar.core.database.entries()].find(({ signed }) => signed.lsa.origin === 2)?.signed.lsa;
    assert.ok(own?.links[0]);
    const victim = world.node(1).core;
    const tag = world.links[0]?.tag ?? "";
    const before = victim.refusals.byReason.malformed;
    const sane = own.links[0];
    const signed = signLsa({ ...own, sequence: own.sequence + 1 }, liar.keys.privateKey).bytes;
    // Offsets within the first link: the header has 22 bytes.
    for (const [offset, value] of [
      [22 + 12, 0],
      [22 + 12, 0xffff_ffff],
      [22 + 16, 0xffff_ffff],
      [22 + 20, 1_000_000],
      [22 + 24, 0xffff_ffff],
    ] as const) {
      const absurd = Buffer.from(signed);
      absurd.writeUInt32BE(value, offset);
      world.inject(1, tag, absurd);
    }
    world.inject(1, tag, Buffer.concat([signed, Buffer.alloc(1_400)]));
    const twice = signLsa({ ...own, sequence: own.sequence + 1, links: [sane, sane] }, liar.keys.privateKey);
    world.inject(1, tag, twice.bytes);
    assert.equal(victim.refusals.byReason.malformed, before + 7);
    const stale = signLsa({ ...own, sequence: own.sequence - 1, links: [] }, liar.keys.privateKey);
    world.inject(1, tag, stale.bytes);
    assert.equal(world.walk(1, 3).end, "there");
    // Its age says that it died long ago: nobody honest passes that on.
    const dead = signLsa({ ...own, sequence: own.sequence + 2, links: [] }, liar.keys.privateKey);
    world.inject(1, tag, dead.bytes, 95_000);
    assert.ok((victim.database.get({ origin: 2 as RegionId, fragment: 0 })?.signed.lsa.links.length ?? 0) > 0);
  });

  it("a region that claims the tag of another link breaks nothing", () => {
    const world = new Simulator({ nodes: 4, links: [link(1, 2), link(2, 3), link(3, 4)] });
    world.until(3_000);
    const liar = world.node(4);
    const own = [...liar.core.database.entries()].find(({ signed }) => signed.lsa.origin === 4)?.signed.lsa;
    assert.ok(own);
    const stolen = world.links.slice(0, 2).map(({ tag, a, b }) => {
      const [first] = own.links;
      assert.ok(first);
      return { ...first, tag, peer: (tag === world.links[0]?.tag ? a : b) as RegionId };
    });
    const claim = signLsa(
      { ...own, sequence: own.sequence + 1, links: [...stolen, ...own.links] },
      liar.keys.privateKey,
    );
    for (const { id } of world.nodes.slice(0, 3)) {
      const at = world.linksOf(id)[0]?.tag ?? "";
      world.inject(id, at, claim.bytes);
    }
    world.until(world.nowMillis + 500);
    for (const [a, b] of [
      [1, 3],
      [1, 4],
      [3, 1],
    ] as const) {
      assert.equal(world.walk(a, b).end, "there");
    }
  });
});
