import assert from "node:assert/strict";
import { regionOfDestination, traceText } from "../../agent/cli/trace.ts";

const regions = [
  { name: "east", prefixes: ["10.1.0.0/16", "fd01:1::/32"] },
  { name: "west", prefixes: ["10.2.0.0/16"] },
];

describe("mesh trace", () => {
  it("takes a region's name, or an address of either family that it holds", () => {
    assert.equal(regionOfDestination("west", regions), "west");
    assert.equal(regionOfDestination("10.2.3.4", regions), "west");
    assert.equal(regionOfDestination("fd01:1::9", regions), "east");
    for (const nobody of ["north", "10.9.0.1", "fd02::1", ""])
      assert.throws(() => regionOfDestination(nobody, regions), { code: "TRACE_UNKNOWN_DESTINATION" });
  });

  it("says path, cost, spread, backup and reason of each class; and who carries what no mesh does", () => {
    const route: Parameters<typeof traceText>[1][number]["routes"][number] = {
      destinationName: "west",
      trafficClass: "bulk",
      pathNames: ["north", "west"],
      nextHopNames: [
        { name: "north", weight: 6 },
        { name: "west", weight: 2 },
      ],
      backupName: null,
      costMicros: 12_340,
      reason: "first path, 12.3 ms",
    };
    const single: typeof route = {
      ...route,
      trafficClass: "critical",
      nextHopNames: [{ name: "west", weight: 1 }],
      backupName: "north",
    };
    assert.deepEqual(traceText("west", [{ meshId: 7, routes: [route, single] }]), [
      "mesh 7, bulk: north → west, cost 12.3 ms",
      "  spread: 75 % via north, 25 % via west",
      "  reason: first path, 12.3 ms",
      "mesh 7, critical: north → west, cost 12.3 ms",
      "  backup if the link is lost: north",
      "  reason: first path, 12.3 ms",
    ]);
    assert.deepEqual(traceText("west", []), ["No mesh carries traffic to west; it takes the standing peering."]);
  });
});
