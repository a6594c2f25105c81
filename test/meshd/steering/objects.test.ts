import { strict as assert } from "node:assert";
import fc from "fast-check";
import {
  BUCKET_GROUPS,
  BUCKETS,
  deliverMark,
  deviceName,
  groupMask,
  groupTable,
  isOurNextHopId,
  linkLocalAddress,
  nextHopId,
  outerMark,
  steerMark,
  UNCLASSIFIED_CLASS,
} from "../../../agent/meshd/kernel/marks.ts";
import { parseEvent } from "../../../agent/meshd/kernel/monitor.ts";
import { changes, type KernelObjects, withoutDevice } from "../../../agent/meshd/steering/kernel-objects.ts";
import { MeshIndexes } from "../../../agent/meshd/steering/mesh-indexes.ts";
import { ownInside } from "../../../agent/meshd/steering/own-routes.ts";
import { ruleset } from "../../../agent/meshd/steering/ruleset.ts";
import type { Steering } from "../../../agent/meshd/steering/steering.ts";
import { wantedObjects, wantedSteering } from "../../../agent/meshd/steering/wanted.ts";
import type { LinkId, MeshId, RegionId } from "../../../agent/model/ids.ts";
import type { MeshSpec } from "../../../agent/model/meshd-messages.ts";
import { contains, enclosing, isCanonical, PrefixSet } from "../../../agent/model/prefix.ts";
import { TRAFFIC_CLASSES } from "../../../agent/model/traffic-class.ts";

const texts = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 5 });
const hops = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom("via x dev p", "via y dev q")), {
  selector: ([id]) => id,
  maxLength: 6,
});
const objects = fc.record({ rules4: texts, rules6: texts, hops }).map(
  ({ rules4, rules6, hops: list }): KernelObjects => ({
    rules4: new Set(rules4.map((text) => `pref ${text}`)),
    rules6: new Set(rules6.map((text) => `pref ${text}`)),
    routes: new Set(list.map(([id]) => `10.${id}.0.0/16 nhid ${id} table 7`)),
    nextHops: new Map(list),
  }),
);

/** What the kernel does with the lines: deleting a next hop takes its routes along. */
function perform(found: KernelObjects, lines: readonly string[]): KernelObjects {
  const state = {
    rules4: new Set(found.rules4),
    rules6: new Set(found.rules6),
    routes: new Set(found.routes),
    nextHops: new Map(found.nextHops),
  };
  for (const line of lines) {
    const hop = /^nexthop (add|replace) id (\d+) (.*) protocol 69$/.exec(line);
    const goneHop = /^nexthop del id (\d+)$/.exec(line);
    const route = /^route (add|del) (.*) protocol 69$/.exec(line);
    if (hop) {
      assert.equal(state.nextHops.has(Number(hop[2])), hop[1] === "replace", `${line}: only what is ours is replaced`);
      state.nextHops.set(Number(hop[2]), hop[3] ?? "");
    } else if (goneHop) {
      assert.ok(state.nextHops.delete(Number(goneHop[1])));
      for (const text of state.routes) if (text.includes(`nhid ${goneHop[1]} `)) state.routes.delete(text);
    } else if (route) {
      const [, what, text = ""] = route;
      const id = Number(/nhid (\d+) /.exec(text)?.[1]);
      assert.ok(what === "del" || state.nextHops.has(id), `${line}: a route needs its next hop first`);
      if (what === "add") state.routes.add(text);
      else assert.ok(state.routes.delete(text), line);
    } else assert.fail(line);
  }
  return state;
}

describe("kernel objects: wanted against found", () => {
  it("the difference makes what is wanted of whatever is found, and nothing of the same", () => {
    fc.assert(
      fc.property(objects, objects, (found, wanted) => {
        const todo = changes(found, wanted);
        const after = perform(found, todo.lines);
        assert.deepEqual([...after.routes].sort(), [...wanted.routes].sort());
        assert.deepEqual(new Map([...after.nextHops].sort()), new Map([...wanted.nextHops].sort()));
        const none = changes(wanted, wanted);
        assert.deepEqual([none.lines, none.rules4, none.rules6], [[], [], []]);
      }),
    );
  });

  it("a turned route is one operation of the kernel", () => {
    const hop = (via: string): KernelObjects => ({
      rules4: new Set(),
      rules6: new Set(),
      routes: new Set(["10.2.0.0/16 nhid 5 table 7", "fd01:2::/32 nhid 5 table 7"]),
      nextHops: new Map([[5, via]]),
    });
    assert.deepEqual(changes(hop("via a dev x"), hop("via b dev y")).lines, [
      "nexthop replace id 5 via b dev y protocol 69",
    ]);
  });

  it("an interface that goes takes its next hops along, and their routes; all else stays known", () => {
    const found: KernelObjects = {
      rules4: new Set(["pref 6930 nop"]),
      rules6: new Set(),
      routes: new Set(["10.2.0.0/16 nhid 5 table 7", "10.3.0.0/16 nhid 6 table 7", "unreachable ::/0 table 7"]),
      nextHops: new Map([
        [5, "via a dev x"],
        [6, "via b dev xy"],
      ]),
    };
    const left = withoutDevice(found, "x");
    assert.deepEqual([...left.routes], ["10.3.0.0/16 nhid 6 table 7", "unreachable ::/0 table 7"]);
    assert.deepEqual([...left.nextHops], [[6, "via b dev xy"]]);
    assert.deepEqual(left.rules4, found.rules4);
  });

  it("a jump's target is there before the jump, and leaves after it", () => {
    const none = {
      rules4: new Set<string>(),
      rules6: new Set<string>(),
      routes: new Set<string>(),
      nextHops: new Map(),
    };
    const all = { ...none, rules4: new Set(["pref 6910 not fwmark 1/2 goto 6990", "pref 6990 nop"]) };
    assert.match(changes(none, all).rules4[0] ?? "", /6990 nop/);
    assert.match(changes(all, none).rules4[0] ?? "", /goto 6990/);
  });
});

describe("marks", () => {
  it("no two mesh indexes, classes, kinds or destinations share a mark or an id, and all are ours", () => {
    const seen = new Set<number>();
    for (const meshIndex of [0, 1, 2, 1023]) {
      for (const mark of [
        steerMark(meshIndex, "critical"),
        steerMark(meshIndex, "interactive"),
        steerMark(meshIndex, "bulk"),
        deliverMark(meshIndex),
        outerMark(meshIndex),
      ]) {
        assert.equal(mark >>> 24, 0x65);
        assert.ok(!seen.has(mark));
        seen.add(mark);
      }
    }
    const ids = [0, 1, 1023].flatMap((meshIndex) =>
      [0, 1, 1023].flatMap((to) =>
        TRAFFIC_CLASSES.flatMap((each) =>
          Array.from({ length: BUCKET_GROUPS[each] }, (_, group) => nextHopId(meshIndex, each, group, to)),
        ),
      ),
    );
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(ids.every(isOurNextHopId));
  });

  it("every bucket of every class finds exactly one table", () => {
    const tables = [1, 2].flatMap((meshIndex) =>
      TRAFFIC_CLASSES.flatMap((each) =>
        Array.from(
          { length: BUCKET_GROUPS[each] },
          (_, group) => [groupTable(meshIndex, each, group), groupMask(each)] as const,
        ),
      ),
    );
    for (const each of TRAFFIC_CLASSES) {
      const bucketGroups = new Map<number, number>();
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        const mark = steerMark(1, each) + bucket;
        const found = tables.filter(([table, mask]) => (mark & mask) >>> 0 === table);
        assert.equal(found.length, 1, `bucket ${bucket} of ${each}`);
        const table = found[0]?.[0] ?? 0;
        bucketGroups.set(table, (bucketGroups.get(table) ?? 0) + 1);
      }
      assert.deepEqual([...bucketGroups.values()], Array(BUCKET_GROUPS[each]).fill(BUCKETS / BUCKET_GROUPS[each]));
    }
  });

  it("both ends of a link have names of their own and addresses that both compute", () => {
    const link = `0x${"ab".repeat(32)}` as LinkId;
    const [a, b] = [1 as RegionId, 2 as RegionId];
    assert.match(deviceName(link, 0, a), /^eph[0-9a-f]{12}$/);
    assert.equal(new Set([deviceName(link, 0, a), deviceName(link, 0, b), deviceName(link, 1, a)]).size, 3);
    assert.match(linkLocalAddress(link, a), /^fe80::[1-9a-f][0-9a-f]{0,3}(:[1-9a-f][0-9a-f]{0,3}){3}$/);
    assert.notEqual(linkLocalAddress(link, a), linkLocalAddress(link, b));
  });

  it("mesh indexes are given out lowest first, kept, and free again after their mesh", () => {
    const meshIndexes = new MeshIndexes();
    const [one, two] = [1 as MeshId, 2 as MeshId];
    assert.equal(meshIndexes.assign(one, 7 as RegionId), 1);
    assert.equal(meshIndexes.assign(two, 7 as RegionId), 2);
    assert.equal(meshIndexes.assign(one, 7 as RegionId), 1);
    meshIndexes.keepOnly(new Set([two]));
    assert.equal(meshIndexes.assign(two, 9 as RegionId), 1);
  });
});

describe("prefixes", () => {
  const prefix = fc.oneof(
    fc.tuple(fc.nat(3), fc.nat(3), fc.constantFrom(8, 14, 15, 16)).map(([a, b, bits]) => `${8 + a}.${b}.0.0/${bits}`),
    fc.tuple(fc.nat(3), fc.nat(3), fc.constantFrom(14, 16, 31, 32)).map(([a, b, bits]) => `fd0${a}:${b}::/${bits}`),
    fc.constantFrom("0.0.0.0/0", "::/0", "::ffff:0:0/96"),
  );

  it("those that contain one another are found as by comparing each with each", () => {
    fc.assert(
      fc.property(fc.array(prefix, { maxLength: 20 }), prefix, (prefixes, asked) => {
        const naive = prefixes.map((inner, place) =>
          prefixes.flatMap((outer, other) => {
            const isEqual = contains(inner, outer) && contains(outer, inner);
            return other !== place && contains(outer, inner) && (!isEqual || other < place) ? [other] : [];
          }),
        );
        assert.deepEqual(
          enclosing(prefixes).map((places) => places.toSorted((a, b) => a - b)),
          naive,
        );
        assert.equal(
          new PrefixSet(prefixes).contains(asked),
          prefixes.some((outer) => contains(outer, asked)),
        );
      }),
    );
  });

  it("containment and canonical form", () => {
    assert.ok(contains("10.0.0.0/8", "10.2.0.0/16") && !contains("10.2.0.0/16", "10.0.0.0/8"));
    assert.ok(contains("fd00::/8", "fd01:2::/32") && !contains("::/0", "10.0.0.0/16"));
    assert.ok(isCanonical("10.2.0.0/16") && isCanonical("fd65:7068:1::/48"));
    assert.ok(!isCanonical("10.2.0.1/16") && !isCanonical("fd01:0002::/32"));
  });
});

describe("what the kernel says of its changes", () => {
  it("is heard where it is about ours, and only then", () => {
    assert.deepEqual(parseEvent("5: eph0123456789ab: <POINTOPOINT,NOARP> mtu 1440 qdisc htb state DOWN"), {
      kind: "interfaceGone",
      device: "eph0123456789ab",
      what: "down",
    });
    assert.deepEqual(parseEvent("Deleted 5: eph0123456789ab: <POINTOPOINT,NOARP> mtu 1440"), {
      kind: "interfaceGone",
      device: "eph0123456789ab",
      what: "deleted",
    });
    assert.equal(parseEvent("5: eph0123456789ab: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1440"), null);
    assert.equal(parseEvent("Deleted 5: eth0: <BROADCAST> mtu 1500"), null);
    const gone = (nextHop: number | null) => ({ kind: "objectGone", nextHop });
    assert.deepEqual(
      parseEvent("Deleted 6930: from all fwmark 0x65000140/0xffffffc0 lookup 1694499136 proto 69"),
      gone(null),
    );
    const via = "via inet6 fe80::1 dev eph0123456789ab";
    assert.deepEqual(parseEvent(`Deleted id 1157627904 ${via} scope 253 proto 69 `), gone(1157627904));
    const route = `nhid 1157627904 ${via} table 7 proto 69 metric 1024 pref medium`;
    assert.deepEqual(parseEvent(`Deleted fd01:2::/32 ${route}`), gone(1157627904));
    assert.equal(parseEvent("Deleted 100: from all lookup 100 proto static"), null);
    const changed = (prefix: string) => ({ kind: "routeChanged", prefix });
    assert.deepEqual(parseEvent("10.2.5.0/24 dev lan0 proto 3 scope 253"), changed("10.2.5.0/24"));
    assert.deepEqual(parseEvent("Deleted 10.2.5.9 via 10.1.0.7 dev lan0 proto 4"), changed("10.2.5.9/32"));
    assert.deepEqual(parseEvent("fd01:2:5::/48 dev lan0 proto 3 metric 1024 pref 0"), changed("fd01:2:5::/48"));
    assert.equal(
      parseEvent("10.2.0.0/16 nhid 1157627904 via inet6 fe80::1 dev eph0123456789ab table 7 proto 69"),
      null,
    );
    assert.equal(parseEvent("local 10.1.0.1 dev lan0 table 255 proto 2"), null);
    assert.equal(parseEvent("default via 198.18.0.2 dev up0 proto 3"), null);
  });
});

describe("more specific routes of the region's own", () => {
  const inside = (routes: Parameters<typeof ownInside>[0]) => ownInside(routes, "10.2.0.0/16", ["up0"]);
  it("are those inside the leased prefix that neither the peering nor we lead", () => {
    assert.deepEqual(inside([{ dst: "10.2.5.0/24", dev: "lan0" }]), ["10.2.5.0/24"]);
    assert.deepEqual(inside([{ dst: "10.2.5.9", dev: "lan0" }]), ["10.2.5.9/32"]);
    assert.deepEqual(inside([{ dst: "10.2.5.0/24", nexthops: [{ dev: "lan0" }, { dev: "lan1" }] }]), ["10.2.5.0/24"]);
    const others = [
      { dst: "10.2.0.0/16", dev: "lan0" },
      { dst: "10.2.6.0/24", dev: "up0" },
      { dst: "10.2.7.0/24", nexthops: [{ dev: "lan0" }, { dev: "up0" }] },
      { dst: "10.2.8.0/24", dev: "eph0123456789ab", protocol: "69" },
      { dst: "default", dev: "lan0" },
    ];
    assert.deepEqual(inside(others), []);
  });
});

describe("a pair that two meshes hold", () => {
  const mesh = (meshId: number, microPricePerMbps: number): MeshSpec => ({
    meshId: meshId as MeshId,
    self: 1 as RegionId,
    participants: [],
    links: [],
    pairs: [
      {
        source: "10.1.0.0/16",
        destination: "10.2.0.0/16",
        sourceRegion: 1 as RegionId,
        destinationRegion: 2 as RegionId,
        buyer: 1 as RegionId,
      },
    ],
    transit: [],
    fallback: "peering",
    microPricePerMbps,
  });
  it("belongs to the one with the higher clearing price, then to the lower id", () => {
    for (const [meshes, winner] of [
      [[mesh(1, 10), mesh(2, 20)], 2],
      [[mesh(2, 20), mesh(1, 20)], 1],
      [[mesh(3, 30), mesh(1, 20)], 3],
    ] as const) {
      const meshIndexes = new MeshIndexes();
      const { outbound } = wantedSteering(meshes, [], meshIndexes);
      const meshIndex = meshIndexes.assign(winner as MeshId, 1 as RegionId);
      assert.deepEqual(
        outbound.map(({ mark }) => mark),
        [steerMark(meshIndex, UNCLASSIFIED_CLASS)],
      );
    }
  });
});

describe("what is wanted of a mesh", () => {
  const spec = (pairs: readonly (readonly [string, string])[], fallback: "peering" | "drop" = "peering"): MeshSpec => ({
    meshId: 1 as MeshId,
    self: 1 as RegionId,
    participants: [],
    links: [],
    pairs: pairs.map(([source, destination]) => ({
      ...{ source, destination, buyer: 1 as RegionId },
      ...{ sourceRegion: 1 as RegionId, destinationRegion: 2 as RegionId },
    })),
    transit: [],
    fallback,
    microPricePerMbps: 1,
  });

  it("of pairs inside one another the widest alone is steered, and what only overlaps stays", () => {
    const block = fc.constantFrom("10.0.0.0/8", "10.0.0.0/9", "10.0.0.0/16", "10.128.0.0/16", "11.0.0.0/8");
    fc.assert(
      fc.property(fc.array(fc.tuple(block, block), { maxLength: 12 }), (pairs) => {
        const isCovered = ([source, destination]: readonly [string, string]) =>
          pairs.some(
            ([a, b]) => (a !== source || b !== destination) && contains(a, source) && contains(b, destination),
          );
        const naive = new Set(pairs.filter((pair) => !isCovered(pair)).map((pair) => pair.join(" ")));
        const { outbound, outboundDestinations } = wantedSteering([spec(pairs)], [], new MeshIndexes());
        assert.ok(
          outbound.every(({ destination }) => outboundDestinations.some(({ prefix }) => contains(prefix, destination))),
        );
        assert.deepEqual(new Set(outbound.map(({ source, destination }) => `${source} ${destination}`)), naive);
        assert.equal(outbound.length, naive.size);
      }),
    );
  });

  it("a more specific route of the region's own keeps its traffic where the mesh has no path and nothing else may carry it", () => {
    const own = "10.2.9.0/24";
    for (const routes of [
      [],
      [{ buyer: 1 as RegionId, trafficClass: "bulk" as const, destination: 2 as RegionId, bucketGroups: [null] }],
    ]) {
      const config = { underlays: [] };
      const mesh = { spec: spec([["10.1.0.0/16", "10.2.0.0/16"]], "drop"), routes };
      const wanted = [...wantedObjects(config, [mesh], [], new MeshIndexes(), [own, "10.3.0.0/24"]).routes];
      const refused = wanted.filter((text) => text.startsWith("unreachable")).length / 2;
      assert.equal(wanted.filter((text) => text.startsWith(`throw ${own} `)).length, refused);
      assert.ok(refused > 0 && !wanted.some((text) => text.includes("10.3.0.0")));
    }
  });
});

describe("ruleset", () => {
  const steering: Steering = {
    devices: ["eph0123456789ab"],
    outbound: [{ source: "10.1.0.0/16", destination: "10.2.0.0/16", mark: steerMark(1, "interactive") }],
    inbound: [{ source: "fd01:2::/32", destination: "fd01:1::/32", mark: deliverMark(1) }],
    outboundDestinations: [{ prefix: "10.2.0.0/16", mark: steerMark(1, "bulk") }],
    inboundDestinations: [{ prefix: "10.1.0.0/16", mark: deliverMark(1) }],
    leases: [{ device: "eph0123456789ab", marks: [deliverMark(1)], meshIndex: 1, rateMbps: 100 }],
    meshIndexes: [1],
    seed: 7,
  };

  it("never tracks connections, translates addresses or logs packets", () => {
    assert.doesNotMatch(ruleset(steering), /\b(ct|nat|masquerade|notrack|log)\b/);
  });

  it("replaces the table as a whole, each family's pairs in its own map", () => {
    const text = ruleset(steering);
    assert.match(text, /^table inet ephemesh\ndelete table inet ephemesh\n/);
    assert.match(text, /map outbound4 \{[^}]*10\.1\.0\.0\/16 \. 10\.2\.0\.0\/16 : 0x65000140/);
    assert.match(text, /map inbound6 \{[^}]*fd01:2::\/32 \. fd01:1::\/32 : 0x65e00100/);
  });
});
