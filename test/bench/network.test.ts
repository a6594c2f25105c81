import assert from "node:assert/strict";
import {
  hasAlternate,
  LINK_SCENARIOS,
  LINKS,
  NODE_SCENARIOS,
  NODES,
  type Scenario,
  shortestPaths,
} from "../../bench/routing/network.ts";

describe("benchmarks: the network for failover", () => {
  it("is a ring of six with two chords", () => {
    const joined = (a: number, b: number) =>
      LINKS.some((link) => (link.a === a && link.b === b) || (link.a === b && link.b === a));
    for (const node of NODES) assert.ok(joined(node, (node % NODES.length) + 1));
    assert.equal(LINKS.length, NODES.length + 2);
  });

  it("every scenario has exactly one shortest path, so that the fault affects it", () => {
    for (const { from, to, path } of [...LINK_SCENARIOS, ...NODE_SCENARIOS]) {
      assert.equal(shortestPaths(LINKS, from, to), 1, `${from} → ${to}`);
      assert.deepEqual([path[0], path.at(-1)], [from, to]);
      for (const [index, node] of path.entries())
        assert.equal(shortestPaths(LINKS, node, to), 1, `${node} is ${index} links along`);
    }
  });

  it("each scenario states correctly whether an alternate exists", () => {
    for (const scenario of LINK_SCENARIOS) assert.equal(hasAlternate(LINKS, scenario, "link"), scenario.alternate);
    for (const scenario of NODE_SCENARIOS) assert.equal(hasAlternate(LINKS, scenario, "node"), scenario.alternate);
  });

  it("an alternate is what RFC 5286 says: in a bare ring of six a direct link has none, in a triangle it has", () => {
    const direct: Scenario = { alternate: false, from: 1, to: 2, path: [1, 2] };
    const ring = NODES.map((a) => ({ a, b: (a % 6) + 1 }));
    assert.equal(hasAlternate(ring, direct, "link"), false);
    const triangle = [1, 2, 3].map((a) => ({ a, b: (a % 3) + 1 }));
    assert.equal(hasAlternate(triangle, direct, "link"), true);
  });
});
