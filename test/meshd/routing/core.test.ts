import { strict as assert } from "node:assert";
import fc from "fast-check";
import { isSignificantGain } from "../../../agent/meshd/routing/choice.ts";
import { signLsa } from "../../../agent/meshd/routing/lsa.ts";
import type { RegionId } from "../../../agent/model/ids.ts";
import { bestCost } from "./oracle.ts";
import { type SimOptions, Simulator } from "./simulator.ts";

const linkArbitrary = (nodes: number) =>
  fc
    .record({
      a: fc.integer({ min: 1, max: nodes }),
      b: fc.integer({ min: 1, max: nodes }),
      rttMicros: fc.integer({ min: 200, max: 120_000 }),
      lossPpm: fc.constantFrom(0, 0, 0, 5_000, 50_000),
      kbps: fc.constantFrom(10_000, 50_000, 100_000),
    })
    .filter(({ a, b }) => a !== b);
const worldArbitrary = fc.integer({ min: 2, max: 9 }).chain((nodes) =>
  fc.record({
    nodes: fc.constant(nodes),
    links: fc.array(linkArbitrary(nodes), { minLength: nodes - 1, maxLength: 2 * nodes }),
    mayCross: fc.subarray(Array.from({ length: nodes }, (_, index) => index + 1)),
  }),
);

/** Mulberry32: the same seed, the same world. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Long enough for flooding, repetitions, held improvements. */
const SETTLED_MILLIS = 6_000;

function assertSettled(world: Simulator, mayCross: ReadonlySet<number>): void {
  for (const source of world.nodes) {
    for (const destination of world.nodes) {
      if (source === destination || !source.alive || !destination.alive) continue;
      const truth = bestCost(world.links, source.id, destination.id, mayCross);
      const route = world.routeOf(source.id, destination.id);
      const where = `${source.id} to ${destination.id}`;
      if (!Number.isFinite(truth)) {
        assert.deepEqual(route?.bucketGroups ?? [], [], `${where}: a route where there is no way`);
        continue;
      }
      assert.ok(
        route && route.bucketGroups.length > 0 && route.costMicros !== null,
        `${where}: no route where there is a way`,
      );
      assert.ok(route.costMicros >= truth, `${where}: cheaper than possible`);
      assert.ok(
        !isSignificantGain(truth, route.costMicros),
        `${where}: ${route.costMicros} though ${truth} is possible`,
      );
      if (!mayCross.has(source.id) && source.id !== destination.id) continue;
      const { path, end } = world.walk(source.id, destination.id);
      assert.equal(end, "there", `${where}: ${path.join(" ")} ${end}`);
      assert.ok(
        path.slice(1, -1).every((node) => mayCross.has(node)),
        `${where}: through a node that is not paid`,
      );
    }
  }
}

describe("routing core, many instances under simulated time", function () {
  this.timeout(60_000);

  it("a world that stands still is routed as the all-paths oracle says, and no packet visits a node twice", () => {
    fc.assert(
      fc.property(worldArbitrary, ({ nodes, links, mayCross }) => {
        const world = new Simulator({ nodes, links, mayCross });
        world.until(SETTLED_MILLIS);
        assertSettled(world, new Set(mayCross));
      }),
      { numRuns: 60 },
    );
  });

  it("after any cuts, repairs and lost messages it settles at the oracle's answer again", () => {
    const cuts = fc.array(fc.record({ link: fc.nat(), up: fc.boolean(), afterMillis: fc.nat(800) }), { maxLength: 12 });
    fc.assert(
      fc.property(worldArbitrary, cuts, fc.nat(), (world, events, seed) => {
        const all = Array.from({ length: world.nodes }, (_, index) => index + 1);
        const options: SimOptions = { ...world, mayCross: all, random: randomOf(seed) };
        const simulator = new Simulator(options);
        simulator.until(2_000);
        for (const event of events) {
          const link = simulator.links[event.link % simulator.links.length];
          if (link) simulator.setUp(link, event.up);
          simulator.until(simulator.nowMillis + event.afterMillis);
        }
        simulator.until(simulator.nowMillis + 10_000);
        assertSettled(simulator, new Set(all));
      }),
      { numRuns: 40 },
    );
  });

  it("a loop after a cut lasts no longer than one flooding time", () => {
    fc.assert(
      fc.property(worldArbitrary, fc.nat(), ({ nodes, links }, cut) => {
        const clean = links.map((link) => ({ ...link, lossPpm: 0, rttMicros: 10_000 }));
        const world = new Simulator({ nodes, links: clean });
        world.until(SETTLED_MILLIS);
        const link = world.links[cut % world.links.length];
        if (!link) return;
        world.setUp(link, false);
        // Detection, then at most nodes − 1 hops of 5 ms.
        world.until(world.nowMillis + 150 + (nodes - 1) * 5 + 1);
        for (const a of world.nodes) {
          for (const b of world.nodes) if (a !== b) assert.notEqual(world.walk(a.id, b.id).end, "loop");
        }
      }),
      { numRuns: 60 },
    );
  });

  it("a loop-free alternate is in place the instant the cut is noticed", () => {
    // A triangle: a node that loses one side has the other two.
    const links = [
      [1, 2],
      [2, 3],
      [1, 3],
    ].map(([a = 0, b = 0]) => ({ a, b, rttMicros: 10_000, lossPpm: 0, kbps: 100_000 }));
    const world = new Simulator({ nodes: 3, links });
    world.until(SETTLED_MILLIS);
    const direct = world.links[0];
    assert.ok(direct);
    world.setUp(direct, false);
    world.until(world.nowMillis + 150);
    assert.deepEqual(world.walk(1, 2).path, [1, 3, 2]);
  });

  it("every change has a reason, and a link that flaps between measured values changes little", () => {
    const links = [
      [1, 2],
      [2, 4],
      [1, 3],
      [3, 4],
    ].map(([a = 0, b = 0]) => ({ a, b, rttMicros: 20_000, lossPpm: 0, kbps: 100_000 }));
    const world = new Simulator({ nodes: 4, links });
    world.until(SETTLED_MILLIS);
    const before = world.changes.length;
    const flapping = world.links[0];
    assert.ok(flapping);
    for (let round = 0; round < 40; round++) {
      flapping.rttMicros = round % 2 === 0 ? 26_000 : 20_000;
      world.remeasure();
      world.until(world.nowMillis + 500);
    }
    assert.ok(world.changes.length - before <= 12, `${world.changes.length - before} changes in 20 s`);
    assert.ok(world.changes.every((change) => change.reason.length > 10));
  });

  it("a crashed region is forgotten after 90 s; one that restarts is believed at once; the dead are not raised", () => {
    const links = [
      [1, 2],
      [2, 3],
      [3, 1],
      [3, 4],
    ].map(([a = 0, b = 0]) => ({ a, b, rttMicros: 10_000, lossPpm: 0, kbps: 100_000 }));
    const world = new Simulator({ nodes: 4, links });
    world.until(SETTLED_MILLIS);
    const stale = [...world.node(1).core.database.entries()].find((entry) => entry.signed.lsa.origin === 4);
    assert.ok(stale);
    world.crash(4);
    world.until(world.nowMillis + 100_000);
    assert.equal(world.node(1).core.database.get(stale.signed.lsa)?.dead, true);
    world.inject(1, world.links[0]?.tag ?? "", stale.signed.bytes);
    assert.equal(world.node(1).core.database.get(stale.signed.lsa)?.dead, true);
    world.restart(4);
    world.until(world.nowMillis + 1_000);
    assert.equal(world.walk(1, 4).end, "there");
  });

  it("a region that is back before anybody noticed is told everything again", () => {
    const links = [
      [1, 2],
      [2, 3],
      [3, 4],
    ].map(([a = 0, b = 0]) => ({ a, b, rttMicros: 10_000, lossPpm: 0, kbps: 100_000 }));
    const world = new Simulator({ nodes: 4, links });
    world.until(SETTLED_MILLIS);
    world.crash(2);
    world.until(world.nowMillis + 100);
    world.restart(2);
    world.until(world.nowMillis + 500);
    assert.deepEqual(world.walk(1, 4).path, [1, 2, 3, 4]);
  });

  it("a restarted region whose disk forgot jumps past what the others remember", () => {
    const links = [
      [1, 2],
      [2, 3],
    ].map(([a = 0, b = 0]) => ({ a, b, rttMicros: 10_000, lossPpm: 0, kbps: 100_000 }));
    const world = new Simulator({ nodes: 3, links });
    world.node(3).incarnation = 7;
    world.crash(3);
    world.until(1_000);
    world.restart(3);
    world.until(3_000);
    world.crash(3);
    world.until(5_000);
    world.node(3).incarnation = 1;
    world.restart(3);
    world.until(8_000);
    assert.equal(world.walk(1, 3).end, "there");
    assert.ok(world.node(3).incarnation > 8);
  });

  it("a neighbour that says a great age first does not silence an origin", () => {
    const links = [
      [1, 2],
      [2, 3],
      [1, 3],
      [3, 4],
    ].map(([a = 0, b = 0]) => ({ a, b, rttMicros: 10_000, lossPpm: 0, kbps: 100_000 }));
    const world = new Simulator({ nodes: 4, links });
    world.until(SETTLED_MILLIS);
    const own = [...world.node(4).core.database.entries()].find(({ signed }) => signed.lsa.origin === 4)?.signed.lsa;
    assert.ok(own);
    const next = signLsa({ ...own, sequence: own.sequence + 1 }, world.node(4).keys.privateKey).bytes;
    const [fromLiar, honest] = [world.links[0]?.tag ?? "", world.links[2]?.tag ?? ""];
    world.inject(1, fromLiar, next, 95_000);
    assert.equal(world.node(1).core.database.get(own)?.signed.lsa.sequence, own.sequence, "the dead are not passed on");
    world.inject(1, fromLiar, next, 89_000);
    world.inject(1, honest, next, 20);
    // Until the origin says something new, at the latest.
    for (const end = world.nowMillis + 40_000; world.nowMillis < end; ) {
      world.until(world.nowMillis + 500);
      assert.equal(world.walk(1, 4).end, "there");
    }
  });

  it("forged, foreign, malformed and replayed advertisements change nothing, and are counted", () => {
    const links = [
      [1, 2],
      [2, 3],
    ].map(([a = 0, b = 0]) => ({ a, b, rttMicros: 10_000, lossPpm: 0, kbps: 100_000 }));
    const world = new Simulator({ nodes: 3, links });
    world.until(SETTLED_MILLIS);
    const victim = world.node(1);
    const tag = world.links[0]?.tag ?? "";
    const before = victim.core.refusals.byReason;
    const true3 = [...victim.core.database.entries()].find((entry) => entry.signed.lsa.origin === 3)?.signed;
    assert.ok(true3);
    const newer = { ...true3.lsa, sequence: true3.lsa.sequence + 1, links: [] };
    // Region 2 signs for region 3, for a stranger, for another mesh.
    const forger = world.node(2).keys.privateKey;
    world.inject(1, tag, signLsa(newer, forger).bytes);
    world.inject(1, tag, signLsa({ ...newer, origin: 99 as RegionId }, forger).bytes);
    world.inject(1, tag, signLsa({ ...newer, meshId: 2 as never }, forger).bytes);
    world.inject(1, tag, true3.bytes, SETTLED_MILLIS);
    const bent = Buffer.from(true3.bytes);
    bent.writeUInt32BE(true3.lsa.sequence + 5, 16);
    world.inject(1, tag, bent);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1_400 }), (bytes) => world.inject(1, tag, Buffer.from(bytes))),
      { numRuns: 300 },
    );
    world.inject(1, tag, signLsa({ ...true3.lsa, sequence: true3.lsa.sequence - 1 }, forger).bytes);
    const { refusals } = victim.core;
    const { malformed, ...others } = refusals.byReason;
    assert.deepEqual(others, {
      badSignature: 2,
      unknownOrigin: 1,
      otherMesh: 1,
      outdated: before.outdated + 1,
      rateLimited: 0,
    });
    assert.ok(malformed >= 290);
    assert.equal(
      refusals.ofLink(tag),
      Object.values(refusals.byReason).reduce((sum, count) => sum + count, 0),
    );
    assert.equal(victim.core.database.get(true3.lsa)?.signed.lsa.sequence, true3.lsa.sequence);
    assert.equal(world.walk(1, 3).end, "there");
  });

  it("a neighbour that floods is cut short, and the honest origins behind it are still heard", () => {
    const links = [
      [1, 2],
      [2, 3],
    ].map(([a = 0, b = 0]) => ({ a, b, rttMicros: 10_000, lossPpm: 0, kbps: 100_000 }));
    const world = new Simulator({ nodes: 3, links });
    world.until(SETTLED_MILLIS);
    const liar = world.node(2);
    const own = [...liar.core.database.entries()].find((entry) => entry.signed.lsa.origin === 2)?.signed.lsa;
    assert.ok(own);
    for (let k = 1; k <= 500; k++) {
      world.inject(
        1,
        world.links[0]?.tag ?? "",
        signLsa({ ...own, sequence: own.sequence + k }, liar.keys.privateKey).bytes,
      );
    }
    assert.ok(world.node(1).core.refusals.byReason.rateLimited > 300);
    const third = world.links[1];
    assert.ok(third);
    third.rttMicros = 200_000;
    world.remeasure();
    world.until(world.nowMillis + 3_000);
    const heard = [...world.node(1).core.database.entries()].find((entry) => entry.signed.lsa.origin === 3);
    assert.equal(heard?.signed.lsa.links[0]?.rttMicros, 200_000);
  });
});
