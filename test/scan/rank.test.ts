import assert from "node:assert/strict";
import { regionId } from "../../agent/model/ids.ts";
import { placeOf, type Region } from "../../agent/model/region.ts";
import { rankPeers } from "../../agent/scan/rank.ts";

function region(id: number, change: Partial<Region> = {}): Region {
  return {
    id: regionId.parse(id),
    name: `r${id}`,
    organisation: id,
    treasury: "0x01",
    agentKey: "0x02",
    routingKey: "0x03",
    place: placeOf(50, id),
    prefixes: [`10.${id}.0.0/16`],
    fabrics: ["ix"],
    attributes: ["postQuantum"],
    controlUrls: [],
    active: true,
    ...change,
  };
}

describe("scan", () => {
  const policy = { fabrics: ["ix"], maxRttMillis: 40 };
  const probe = (r: Region, rttMicros: number | null, failure?: string) => ({
    region: r,
    rttMicros,
    ...(failure ? { failure } : {}),
  });

  it("lists those in reach first, nearest first, and gives each exclusion its reason", () => {
    const ranked = rankPeers(
      region(1),
      [
        probe(region(2), 39_000),
        probe(region(3), 5_000),
        probe(region(4), 41_000),
        probe(region(5), null, "timeout"),
        probe(region(6, { active: false }), 1_000),
        probe(region(7, { organisation: 1 }), 1_000),
        probe(region(8, { fabrics: ["other"] }), null),
      ],
      policy,
    );
    assert.deepEqual(
      ranked.filter((p) => p.included).map((p) => p.id),
      [3, 2],
    );
    const reasons = new Map(ranked.map((p) => [p.id as number, p.reason]));
    for (const [id, expected] of [
      [4, /beyond the radius/],
      [5, /timeout/],
      [6, /suspended/],
      [7, /same organisation/],
      [8, /no fabric/],
    ] as const)
      assert.match(reasons.get(id) ?? "", expected);
  });

  it("a radius in kilometres excludes what is beyond it, however fast it answers", () => {
    // A degree of longitude at 50° north is 71 km.
    const ranked = rankPeers(region(1), [probe(region(2), 1_000), probe(region(3), 1_000)], { ...policy, maxKm: 100 });
    assert.deepEqual(
      ranked.map((p) => [p.id, p.included]),
      [
        [2, true],
        [3, false],
      ],
    );
    assert.match(ranked[1]?.reason ?? "", /143 km away, beyond the radius of 100 km/);
  });

  it("a region is not its own peer", () => assert.deepEqual(rankPeers(region(1), [probe(region(1), 0)], policy), []));
});
