import { strict as assert } from "node:assert";
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { UndirectedGraph } from "graphology";
import { dijkstra } from "graphology-shortest-path";
import { type Candidate, type Choice, decide } from "../../../agent/meshd/routing/choice.ts";
import { linkCostMicros, MAX_COST_MICROS } from "../../../agent/meshd/routing/cost.ts";
import { decodeLsa, fragments, type Lsa, MAX_LSA_BYTES, signLsa, verifyLsa } from "../../../agent/meshd/routing/lsa.ts";
import { Graph, type GraphEdge } from "../../../agent/meshd/routing/shortest.ts";
import { decodeRoutingPacket, encodeAcknowledgement, encodeAdvertisement } from "../../../agent/meshd/routing/wire.ts";
import type { MeshId, RegionId } from "../../../agent/model/ids.ts";
import { classOfDscp, TRAFFIC_CLASSES } from "../../../agent/model/traffic-class.ts";

const region = (id: number): RegionId => id as RegionId;
const edge = fc.record({
  rttMicros: fc.integer({ min: 1, max: 10_000_000 }),
  lossForwardPpm: fc.integer({ min: 0, max: 999_999 }),
  lossReversePpm: fc.integer({ min: 0, max: 999_999 }),
  capacityKbps: fc.integer({ min: 1, max: 1_000_000_000 }),
});

describe("link cost", () => {
  it("is what ROUTING.md says: 10 ms and 100 Mbit/s cost 5.96 ms for interactive traffic", () => {
    const metric = { rttMicros: 10_000, lossForwardPpm: 0, lossReversePpm: 0, capacityKbps: 100_000 };
    assert.equal(linkCostMicros(metric, "interactive"), 5_960);
    assert.equal(linkCostMicros(metric, "critical"), 5_120);
    assert.equal(linkCostMicros(metric, "bulk"), 645_000);
    assert.equal(linkCostMicros({ ...metric, lossForwardPpm: 100_000 }, "interactive"), 6_622);
  });

  it("a link that loses more than a tenth is dearer than any three sound ones like it", () => {
    const sound = { rttMicros: 10_000, lossForwardPpm: 0, lossReversePpm: 0, capacityKbps: 100_000 };
    for (const trafficClass of TRAFFIC_CLASSES)
      for (const lossy of [{ lossForwardPpm: 100_001 }, { lossReversePpm: 300_000 }])
        assert.ok(linkCostMicros({ ...sound, ...lossy }, trafficClass) > 3 * linkCostMicros(sound, trafficClass));
  });

  it("is a positive integer, monotone in each argument, and saturates", () => {
    fc.assert(
      fc.property(edge, edge, fc.constantFrom(...TRAFFIC_CLASSES), (a, b, trafficClass) => {
        const worse = {
          rttMicros: Math.max(a.rttMicros, b.rttMicros),
          lossForwardPpm: Math.max(a.lossForwardPpm, b.lossForwardPpm),
          lossReversePpm: Math.max(a.lossReversePpm, b.lossReversePpm),
          capacityKbps: Math.min(a.capacityKbps, b.capacityKbps),
        };
        const cost = linkCostMicros(a, trafficClass);
        assert.ok(Number.isSafeInteger(cost) && cost >= 1 && cost <= MAX_COST_MICROS);
        assert.ok(linkCostMicros(worse, trafficClass) >= cost);
      }),
    );
  });
});

describe("classes of traffic", () => {
  it("each DSCP belongs to one class: EF, VOICE-ADMIT and CS5–7 critical; AF3x, AF4x, CS3, CS4 interactive; else bulk", () => {
    const named = { ef: 46, va: 44, cs5: 40, cs6: 48, cs7: 56, af31: 26, af43: 38, cs3: 24, cs4: 32 };
    for (const dscp of [named.ef, named.va, named.cs5, named.cs6, named.cs7]) {
      assert.equal(classOfDscp(dscp), "critical");
    }
    for (const dscp of [named.af31, named.af43, named.cs3, named.cs4]) assert.equal(classOfDscp(dscp), "interactive");
    for (const dscp of [0, 1, 8, 10, 14, 16, 18, 22]) assert.equal(classOfDscp(dscp), "bulk");
    assert.equal(
      Array.from({ length: 64 }, (_, dscp) => classOfDscp(dscp)).filter((each) => each === "bulk").length,
      51,
    );
  });
});

describe("shortest paths", () => {
  it("agree with another library's Dijkstra on graphs of 200 nodes and 1,000 links", () => {
    const pairs = fc.array(
      fc.tuple(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 1_000_000 }),
      ),
      { minLength: 1_000, maxLength: 1_000 },
    );
    fc.assert(
      fc.property(pairs, (links) => {
        const edges: GraphEdge[] = [];
        const other = new UndirectedGraph();
        for (let id = 1; id <= 200; id++) other.addNode(id);
        for (const [a, b, costMicros] of links) {
          if (a === b || other.hasEdge(a, b)) continue;
          other.addEdge(a, b, { costMicros });
          edges.push({ tag: "", a: region(a), b: region(b), costMicros, kbps: 1 + (costMicros % 977) });
        }
        const costs = new Map<string, GraphEdge>(
          edges.flatMap((e) => [[`${e.a}-${e.b}`, e] as const, [`${e.b}-${e.a}`, e] as const]),
        );
        const all = new Set(Array.from({ length: 200 }, (_, k) => region(k + 1)));
        const tree = new Graph(edges).shortestPaths(region(1), all);
        for (let to = 2; to <= 200; to++) {
          const path = dijkstra.bidirectional(other, 1, to, "costMicros") as string[] | null;
          const truth = path
            ?.slice(1)
            .reduce((sum, node, k) => sum + (costs.get(`${path[k]}-${node}`)?.costMicros ?? 0), 0);
          assert.equal(tree.costTo(region(to)), truth ?? Number.POSITIVE_INFINITY);
          const own = tree.pathTo(region(to));
          const hops = own.slice(1).map((node, k) => costs.get(`${own[k]}-${node}`));
          assert.equal(
            hops.reduce((sum, hop) => sum + (hop?.costMicros ?? Number.NaN), 0),
            truth ?? 0,
            "the path drawn is the path counted",
          );
          assert.equal(
            tree.kbpsTo(region(to)),
            truth === undefined ? 0 : Math.min(...hops.map((hop) => hop?.kbps ?? 0)),
          );
        }
      }),
      { numRuns: 5 },
    );
  });
});

describe("choice of the next hop", () => {
  const candidate = (tag: string, costMicros: number, onwardMicros = costMicros / 2): Candidate => ({
    tag,
    neighbour: region(tag.charCodeAt(0)),
    costMicros,
    onwardMicros,
    backMicros: costMicros - onwardMicros,
    kbps: 100_000,
  });
  const using = (tag: string, minCostMicros: number): Choice => ({
    tag,
    neighbour: region(tag.charCodeAt(0)),
    minCostMicros,
    better: null,
    urgentChangeAtMillis: null,
  });

  it("a neighbour that is not strictly closer is never used", () => {
    const costs = fc.integer({ min: 1_000, max: 100_000 });
    const some = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), costs, costs), { maxLength: 6 });
    fc.assert(
      fc.property(some, costs, fc.constantFrom(null, "a", "b"), (list, own, current) => {
        const candidates = list.map(([tag, link, onward]) => candidate(tag, link + onward, onward));
        const { choice } = decide(current === null ? null : using(current, own), candidates, own, 0);
        if (!choice) return assert.ok(candidates.every((each) => each.onwardMicros >= own));
        assert.ok(candidates.some((each) => each.tag === choice.tag && each.onwardMicros < own));
      }),
    );
  });

  it("a link that went away is left at once", () => {
    const { choice, reason } = decide(using("a", 10_000), [candidate("b", 90_000)], 90_000, 0);
    assert.equal(choice?.tag, "b");
    assert.match(reason ?? "", /was lost/);
  });

  it("a mere improvement must be worth 15 % and 1 ms, and hold for 1 s", () => {
    const current = using("a", 20_000);
    assert.equal(decide(current, [candidate("a", 20_000), candidate("b", 18_000)], 18_000, 0).choice?.tag, "a");
    const first = decide(current, [candidate("a", 20_000), candidate("b", 15_000)], 15_500, 0);
    assert.deepEqual([first.choice?.tag, first.reason, first.recomputeAtMillis], ["a", null, 1_000]);
    assert.equal(decide(first.choice, [candidate("a", 20_000), candidate("b", 15_000)], 15_500, 999).choice?.tag, "a");
    assert.equal(
      decide(first.choice, [candidate("a", 20_000), candidate("b", 15_000)], 15_500, 1_000).choice?.tag,
      "b",
    );
    const tiny = decide(using("a", 2_000), [candidate("a", 2_000, 10), candidate("b", 1_200, 10)], 1_200, 0);
    assert.deepEqual([tiny.choice?.tag, tiny.recomputeAtMillis], ["a", null]);
  });

  it("worse than it ever was since it was chosen, whatever it was when it was chosen", () => {
    const dear = decide(null, [candidate("a", 50_000)], 50_000, 0).choice;
    const cheap = decide(dear, [candidate("a", 10_000)], 10_000, 1_000).choice;
    const { choice, reason } = decide(cheap, [candidate("a", 45_000), candidate("b", 20_000)], 30_000, 9_000);
    assert.equal(choice?.tag, "b");
    assert.match(reason ?? "", /got worse \(best 10\.0 ms\)/);
  });

  it("a path that got worse is left at once, but only once in 5 s", () => {
    const candidates = [candidate("a", 60_000), candidate("b", 30_000)];
    const fled = decide(using("a", 20_000), candidates, 60_000, 10_000).choice;
    assert.equal(fled?.tag, "b");
    const swapped = [candidate("a", 20_000), candidate("b", 70_000)];
    assert.equal(decide(fled, swapped, 70_000, 11_000).choice?.tag, "b");
    assert.equal(decide(fled, swapped, 70_000, 15_000).choice?.tag, "a");
  });
});

describe("advertisements on the wire", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const hex16 = fc.stringMatching(/^[0-9a-f]{16}$/);
  const link = fc.record({
    tag: hex16,
    peer: fc.integer({ min: 1, max: 0xffff_ffff }).map(region),
    rttMicros: fc.integer({ min: 1, max: 10_000_000 }),
    jitterMicros: fc.integer({ min: 0, max: 10_000_000 }),
    lossPpm: fc.integer({ min: 0, max: 999_999 }),
    observedKbps: fc.integer({ min: 0, max: 1e9 }),
    attributes: fc.constantFrom(0, 1),
    shares: fc.array(
      fc.record({ buyer: fc.integer({ min: 1, max: 99 }).map(region), kbps: fc.integer({ min: 1, max: 1e9 }) }),
      { maxLength: 4 },
    ),
  });
  const lsa: fc.Arbitrary<Lsa> = fc.record({
    meshId: fc.integer({ min: 1, max: 0xffff_ffff }).map((id) => id as MeshId),
    origin: fc.integer({ min: 1, max: 0xffff_ffff }).map(region),
    fragment: fc.integer({ min: 0, max: 63 }),
    incarnation: fc.integer({ min: 0, max: 0xffff_ffff }),
    sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
    noTransit: fc.boolean(),
    links: fc.uniqueArray(link, { maxLength: 15, selector: (each) => each.tag }),
  });

  it("what is signed is read back the same, and any changed byte breaks the signature or the form", () => {
    fc.assert(
      fc.property(lsa, fc.nat(), fc.integer({ min: 1, max: 255 }), (said, at, change) => {
        const { bytes } = signLsa(said, privateKey);
        assert.deepEqual(decodeLsa(bytes), structuredClone(said));
        assert.ok(verifyLsa(bytes, publicKey));
        const bent = Buffer.from(bytes);
        bent[at % bent.length] = (bent[at % bent.length] ?? 0) ^ change;
        assert.ok(decodeLsa(bent) === null || !verifyLsa(bent, publicKey));
      }),
      { numRuns: 50 },
    );
  });

  it("any number of links fits into fragments of at most one datagram, in order and complete", () => {
    fc.assert(
      fc.property(fc.array(link, { maxLength: 300 }), (links) => {
        const parts = fragments(links);
        assert.deepEqual(parts.flat(), links);
        const said = {
          meshId: 1 as MeshId,
          origin: region(1),
          fragment: 0,
          incarnation: 1,
          sequence: 1,
          noTransit: false,
        };
        for (const part of parts)
          assert.ok(signLsa({ ...said, links: part }, privateKey).bytes.length <= MAX_LSA_BYTES);
      }),
      { numRuns: 20 },
    );
  });

  it("routing packets survive the wire, and noise is none", () => {
    const known = { origin: region(7), fragment: 3, incarnation: 9, sequence: 0xffff_ffff };
    assert.deepEqual(decodeRoutingPacket(encodeAcknowledgement(5, known)), {
      kind: "acknowledgement",
      meshId: 5,
      known,
    });
    const bytes = Buffer.from("0102", "hex");
    assert.deepEqual(decodeRoutingPacket(encodeAdvertisement(1_234, bytes)), {
      kind: "advertisement",
      ageMillis: 1_234,
      bytes,
    });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => decodeRoutingPacket(Buffer.from(noise)) === null),
    );
  });
});
