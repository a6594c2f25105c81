import assert from "node:assert/strict";
import { nextHopId } from "../../agent/meshd/kernel/marks.ts";
import { isOfStreamClass } from "../../bench/routing/stream-class.ts";
import { cell, type Run, routeEvents, summarise } from "../../bench/routing/summary.ts";

const run = (recoveredMillis: number | null, badMillis = 0): Run => ({
  alternate: true,
  recoveredMillis,
  badMillis,
  lostPackets: 0,
  routeEvents: null,
});

describe("benchmarks: summary of runs", () => {
  it("gives the median and the worst run", () => {
    const summary = summarise([run(150), run(90), run(240)], "recovery");
    assert.deepEqual(summary, { runs: 3, never: 0, medianMillis: 150, worstMillis: 240 });
    assert.equal(cell(summary), "150 (240)");
  });

  it("the median of an even number is the mean of the middle two; with one that never recovered it is never", () => {
    assert.equal(cell(summarise([run(100), run(200)], "recovery")), "150 (200)");
    assert.equal(cell(summarise([run(100), run(null)], "recovery")), "never (never)");
  });

  it("a run that did not recover is the worst, and the median if most did not", () => {
    assert.equal(cell(summarise([run(100), run(120), run(null)], "recovery")), "120 (never)");
    assert.equal(cell(summarise([run(100), run(null), run(null)], "recovery")), "never (never)");
  });

  it("bad time is counted even if traffic never recovered", () => {
    assert.equal(cell(summarise([run(null, 4040), run(20, 60), run(0, 1030)], "badTime")), "1,030 (4,040)");
  });

  it("a fault that was not measured has no figure", () => {
    assert.equal(cell(summarise([], "recovery")), "–");
  });
});

describe("benchmarks: route events among kernel notifications", () => {
  const ours = (id: number) => `id ${id} via fe80::1 dev epha97b15c43fb3 scope link proto 69 `;

  it("counts a peer's routes to a region's prefix, added or deleted, but not those of its tunnels", () => {
    const lines = [
      "10.3.0.0/16 nhid 12 via 10.99.6.2 dev t3 proto ospf metric 20 ",
      "Deleted 10.3.0.0/16 via 10.99.6.2 dev t3 proto babel onlink ",
      "10.99.1.0/30 nhid 12 via 10.99.6.2 dev t3 proto ospf metric 20 ",
      "10.3.0.0/16 dev lan0 proto kernel scope link src 10.3.0.1 ",
      "id 12 via 10.99.6.2 dev t3 scope link proto zebra ",
    ];
    assert.equal(routeEvents(lines, isOfStreamClass), 2);
  });

  it("counts our next-hop objects of the stream's class, for every buyer and destination", () => {
    const lines = [
      ours(nextHopId(1, "critical", 0, 3)),
      ours(nextHopId(7, "critical", 0, 9)),
      ours(nextHopId(1, "interactive", 0, 3)),
      ours(nextHopId(1, "bulk", 0, 3)),
      ours(nextHopId(1, "bulk", 5, 3)),
      `Deleted ${ours(nextHopId(1, "critical", 0, 3))}`,
    ];
    assert.equal(routeEvents(lines, isOfStreamClass), 3);
  });
});
