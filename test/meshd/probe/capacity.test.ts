import assert from "node:assert/strict";
import fc from "fast-check";
import { CapacityMeter, type Received } from "../../../agent/meshd/probe/capacity.ts";

const LEASED_KBPS = 100_000;
const LOOK_MILLIS = 250;
const PROBE_MILLIS = 50;

interface Cable {
  readonly carriesKbps: number;
  readonly oneWayMillis: number;
  /** What the hosts offer in each millisecond; the shaper lets through what is leased. */
  readonly offeredKbps: (millis: number) => number;
  /** Of the reports, which are lost under way. */
  readonly loses?: (report: number) => boolean;
  /** How late each look at the counters is. */
  readonly lateMillis?: (look: number) => number;
}

/** One end that sends, one that counts; a millisecond at a time. What the cable cannot carry is lost. */
function run(cable: Cable, lastsMillis: number) {
  const [near, far] = [new CapacityMeter(), new CapacityMeter()];
  const [sent, received] = [[0], [0]];
  const under = new Map<number, Received>();
  const late = cable.lateMillis ?? (() => 0);
  const shortages: (number | null)[] = [];
  let [nearLooks, farLooks, reports] = [0, 0, 0];
  for (let millis = 1; millis <= lastsMillis; millis++) {
    const kbps = Math.min(LEASED_KBPS, cable.offeredKbps(millis));
    sent.push((sent.at(-1) ?? 0) + kbps / 8);
    const arrives = millis - cable.oneWayMillis;
    const came = arrives < 1 ? 0 : Math.min(cable.carriesKbps / 8, (sent[arrives] ?? 0) - (sent[arrives - 1] ?? 0));
    received.push((received.at(-1) ?? 0) + came);
    const link = { leasedKbps: LEASED_KBPS, rttMicros: 2000 * cable.oneWayMillis };
    if (millis >= nearLooks * LOOK_MILLIS + late(nearLooks)) {
      nearLooks++;
      near.addCounts({ sentBytes: sent.at(-1) ?? 0, receivedBytes: 0 }, link, millis);
    }
    if (millis >= farLooks * LOOK_MILLIS + 100 + late(farLooks + 7)) {
      farLooks++;
      far.addCounts({ sentBytes: 0, receivedBytes: received.at(-1) ?? 0 }, link, millis);
    }
    const report = millis % PROBE_MILLIS === 0 ? far.takeReport() : null;
    if (report && !cable.loses?.(reports++)) under.set(millis + cable.oneWayMillis, report);
    const arriving = under.get(millis);
    if (arriving) near.addReport(arriving, millis);
    shortages.push(near.shortageKbps(LEASED_KBPS, millis));
  }
  return { near, shortages };
}

const always = (kbps: number) => () => kbps;

describe("capacity of a link, as it was seen", () => {
  it("under a backlog it is what arrives at the other end, within a twentieth, whatever the way's length", () => {
    fc.assert(
      fc.property(fc.integer({ min: 5_000, max: 85_000 }), fc.integer({ min: 1, max: 300 }), (carriesKbps, oneWay) => {
        const { shortages } = run({ carriesKbps, oneWayMillis: oneWay, offeredKbps: always(500_000) }, 4_000);
        const seen = shortages.at(-1) ?? 0;
        assert.ok(Math.abs(seen - carriesKbps) <= carriesKbps / 20, `${seen} of ${carriesKbps}`);
      }),
    );
  });

  it("it is seen although every second report is lost", () => {
    const loses = (report: number) => report % 2 === 1;
    const { shortages } = run({ carriesKbps: 20_000, oneWayMillis: 20, offeredKbps: always(500_000), loses }, 4_000);
    assert.ok(Math.abs((shortages.at(-1) ?? 0) - 20_000) <= 1_000);
  });

  it("a link that carries its lease is never called short, however its load comes and goes and however late the looks are", () => {
    const load = fc.array(
      fc.record({ millis: fc.integer({ min: 1, max: 1_500 }), kbps: fc.integer({ min: 0, max: 300_000 }) }),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(
        load,
        fc.array(fc.nat(60), { minLength: 8, maxLength: 8 }),
        fc.nat(200),
        (phases, lateness, oneWay) => {
          const at = phases.flatMap(({ millis, kbps }) => Array.from({ length: millis }, () => kbps));
          const cable: Cable = {
            carriesKbps: LEASED_KBPS,
            oneWayMillis: oneWay + 1,
            offeredKbps: (millis) => at[millis] ?? 0,
            lateMillis: (look) => lateness[look % lateness.length] ?? 0,
          };
          const short = run(cable, at.length + 1_000).shortages.find((kbps) => kbps !== null);
          assert.equal(short, undefined);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("without a backlog, or with one of less than 250 ms, it says nothing", () => {
    const idle = run({ carriesKbps: 50_000, oneWayMillis: 10, offeredKbps: always(80_000) }, 5_000);
    assert.ok(idle.shortages.every((kbps) => kbps === null));
    const bursts = (millis: number) => (millis % 1_000 < 200 ? 500_000 : 0);
    const bursty = run({ carriesKbps: 50_000, oneWayMillis: 10, offeredKbps: bursts }, 5_000);
    assert.ok(bursty.shortages.every((kbps) => kbps === null));
  });

  it("what was seen is forgotten after a minute, and corrected by the next backlog", () => {
    const { near } = run({ carriesKbps: 50_000, oneWayMillis: 10, offeredKbps: always(500_000) }, 3_000);
    assert.notEqual(near.shortageKbps(LEASED_KBPS, 62_000), null);
    assert.equal(near.shortageKbps(LEASED_KBPS, 64_000), null);
  });

  it("a peer whose counters or clock begin anew, or lie, makes no figure of it", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.double({ noNaN: true }), fc.double({ noNaN: true }))), (reports) => {
        const meter = new CapacityMeter();
        const link = { leasedKbps: LEASED_KBPS, rttMicros: 1_000 };
        let [sentBytes, now] = [0, 0];
        for (const [bytes, atMicros] of reports) {
          sentBytes += (LEASED_KBPS * LOOK_MILLIS) / 8;
          now += LOOK_MILLIS;
          meter.addCounts({ sentBytes, receivedBytes: 0 }, link, now);
          meter.addReport({ bytes, atMicros }, now);
          const kbps = meter.shortageKbps(LEASED_KBPS, now);
          assert.ok(kbps === null || (Number.isInteger(kbps) && kbps > 0 && kbps < LEASED_KBPS));
        }
      }),
    );
  });
});
