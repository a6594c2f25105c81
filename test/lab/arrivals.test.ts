import assert from "node:assert/strict";
import fc from "fast-check";
import { type Arrival, interruption, type StreamRecord } from "../../lab/traffic/arrivals.ts";

const INTERVAL = 20;

/** A stream of ten seconds, 5 ms of delay; `fate` says how a packet's delay differs, or that it is lost. */
function record(fate: (sentMillis: number) => number | "lost"): StreamRecord {
  const sent = 500;
  const arrivals = Array.from({ length: sent }, (_, sequence): Arrival | undefined => {
    const sentMillis = sequence * INTERVAL;
    const extra = fate(sentMillis);
    return extra === "lost" ? undefined : { sequence, sentMillis, receivedMillis: sentMillis + 5 + extra };
  }).filter((arrival) => arrival !== undefined);
  return {
    startMillis: 0,
    intervalMillis: INTERVAL,
    sent,
    arrivals: arrivals.toSorted((a, b) => a.receivedMillis - b.receivedMillis),
  };
}

describe("lab/arrivals: figures of a fault from a stream", () => {
  it("a fault without a bad packet has a recovery time of 0", () => {
    const found = interruption(
      record(() => 0),
      3000,
    );
    assert.deepEqual(found, {
      recoveredMillis: 0,
      maxGapMillis: INTERVAL,
      lost: 0,
      baseDelayMillis: 5,
      badMillis: 0,
    });
  });

  it("recovery is the first packet from which a whole second flows well", () => {
    const found = interruption(
      record((at) => (at >= 3000 && at < 3200 ? "lost" : 0)),
      3000,
    );
    assert.equal(found.recoveredMillis, 200);
    assert.equal(found.maxGapMillis, 220);
    assert.equal(found.lost, 10);
    assert.equal(found.badMillis, 200);
  });

  it("a second with more than 2 % bad packets is not recovered, even if it begins well", () => {
    const found = interruption(
      record((at) => (at >= 3000 && at < 4000 && at % 100 === 0 ? "lost" : 0)),
      3000,
    );
    // One of 50 may be lost, so the second that begins after the last loss but one is well.
    assert.equal(found.recoveredMillis, 820);
  });

  it("packets more than 80 ms late are bad, those of a slightly longer path are not", () => {
    const late = interruption(
      record((at) => (at >= 3000 ? 81 : 0)),
      3000,
    );
    assert.equal(late.recoveredMillis, null);
    assert.equal(late.lost, 0);
    const detour = interruption(
      record((at) => (at >= 3000 ? 79 : 0)),
      3000,
    );
    assert.equal(detour.recoveredMillis, 0);
  });

  it("the limit for late packets can be set: 55 ms more delay are a fault if 35 ms are allowed", () => {
    const slower = record((at) => (at >= 3000 && at < 3400 ? 55 : 0));
    assert.equal(interruption(slower, 3000).recoveredMillis, 0);
    assert.equal(interruption(slower, 3000, 35).recoveredMillis, 400);
    assert.equal(interruption(slower, 3000, 35).badMillis, 400);
  });

  it("a stream that never comes back has not recovered, and its gap has no end", () => {
    const found = interruption(
      record((at) => (at >= 3000 ? "lost" : 0)),
      3000,
    );
    assert.equal(found.recoveredMillis, null);
    assert.equal(found.lost, 350);
  });

  it("for any outage: recovered when it ends, lost what was sent in it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 5000 }), fc.integer({ min: 40, max: 3000 }), (start, length) => {
        const down = (at: number) => at >= start && at < start + length;
        const found = interruption(
          record((at) => (down(at) ? "lost" : 0)),
          start,
        );
        assert.ok(found.recoveredMillis !== null && Math.abs(found.recoveredMillis - length) <= INTERVAL);
        assert.ok(Math.abs(found.lost - length / INTERVAL) <= 1);
      }),
      { numRuns: 50 },
    );
  });
});
