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

describe("benches: what single runs say together", () => {
  it("median and worst, each from its own run", () => {
    const summary = summarise([run(150), run(90), run(240)], "recovery");
    assert.deepEqual(summary, { runs: 3, never: 0, medianMillis: 150, worstMillis: 240 });
    assert.equal(cell(summary), "150 (240)");
  });

  it("of an even number the mean of the two in the middle counts, and never counts as never", () => {
    assert.equal(cell(summarise([run(100), run(200)], "recovery")), "150 (200)");
    assert.equal(cell(summarise([run(100), run(null)], "recovery")), "never (never)");
  });

  it("a run that did not recover is the worst, and the median when it is most of them", () => {
    assert.equal(cell(summarise([run(100), run(120), run(null)], "recovery")), "120 (never)");
    assert.equal(cell(summarise([run(100), run(null), run(null)], "recovery")), "never (never)");
  });

  it("bad time counts also where traffic never recovered", () => {
    assert.equal(cell(summarise([run(null, 4040), run(20, 60), run(0, 1030)], "badTime")), "1,030 (4,040)");
  });

  it("what was not measured is no zero", () => {
    assert.equal(cell(summarise([], "recovery")), "–");
  });
});

describe("benches: which notifications of a kernel are route events", () => {
  const ours = (id: number) => `id ${id} via fe80::1 dev epha97b15c43fb3 scope link proto 69 `;

  it("a peer's routes to a region's prefix, come or gone, and not those of its tunnels", () => {
    const lines = [
      "10.3.0.0/16 nhid 12 via 10.99.6.2 dev t3 proto ospf metric 20 ",
      "Deleted 10.3.0.0/16 via 10.99.6.2 dev t3 proto babel onlink ",
      "10.99.1.0/30 nhid 12 via 10.99.6.2 dev t3 proto ospf metric 20 ",
      "10.3.0.0/16 dev lan0 proto kernel scope link src 10.3.0.1 ",
      "id 12 via 10.99.6.2 dev t3 scope link proto zebra ",
    ];
    assert.equal(routeEvents(lines, isOfStreamClass), 2);
  });

  it("of our next-hop objects those of the stream's class, whatever the buyer and the destination", () => {
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
