import { strict as assert } from "node:assert";
import fc from "fast-check";
import { Arrivals } from "../../../agent/meshd/probe/arrivals.ts";
import { LinkHealth, probesUntilDown, type StateChange } from "../../../agent/meshd/probe/health.ts";
import { decodeProbe, encodeProbe, type Probe } from "../../../agent/meshd/probe/packet.ts";
import { RoundTrip } from "../../../agent/meshd/probe/round-trip.ts";

const INTERVAL = 50;

/** Two ends and the wire between them, under a clock of our own. */
class Pair {
  nowMillis = 1_000;
  readonly a = new LinkHealth({ intervalMillis: INTERVAL, instance: 1, nowMillis: this.nowMillis });
  b = new LinkHealth({ intervalMillis: INTERVAL, instance: 2, nowMillis: this.nowMillis });
  readonly changesOfA: (StateChange & { readonly atMillis: number })[] = [];
  aToB = true;
  bToA = true;
  aRuns = true;
  delayMillis = 5;

  /** One interval: both send, what is on the wire arrives, both look. */
  step(count = 1): void {
    for (let k = 0; k < count; k++) {
      const fromA = this.aRuns ? this.a.nextProbe(this.nowMillis) : null;
      const fromB = this.b.nextProbe(this.nowMillis);
      this.nowMillis += this.delayMillis;
      if (this.aToB && fromA) this.b.receive(fromA, this.nowMillis);
      if (this.bToA && this.aRuns) this.#note(this.a.receive(fromB, this.nowMillis));
      this.nowMillis += INTERVAL - this.delayMillis;
      if (this.aRuns) this.#note(this.a.evaluate(this.nowMillis));
      this.b.evaluate(this.nowMillis);
    }
  }

  #note(change: StateChange | null): void {
    if (change) this.changesOfA.push({ ...change, atMillis: this.nowMillis });
  }
}

describe("probes: the health of a link", () => {
  it("n missing in a row is chance below 10⁻⁷ at the usual loss, three at least", () => {
    assert.equal(probesUntilDown(0), 3);
    assert.equal(probesUntilDown(5_000), 4);
    assert.equal(probesUntilDown(50_000), 6);
    assert.equal(probesUntilDown(300_000), 14);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 900_000 }),
        (loss) => (loss / 1e6) ** probesUntilDown(loss) <= 1e-7 * 1.000_001,
      ),
    );
  });

  it("waiting becomes up only when each side hears the other", () => {
    const pair = new Pair();
    pair.aToB = false;
    pair.step(20);
    assert.equal(pair.a.state, "waiting");
    pair.aToB = true;
    pair.step(3);
    assert.equal(pair.a.state, "up");
    assert.equal(pair.a.rttMicros, 10_000);
  });

  it("silence both ways is down after three intervals and a little", () => {
    const pair = new Pair();
    pair.step(20);
    const cutAt = pair.nowMillis;
    pair.aToB = pair.bToA = false;
    pair.step(6);
    const down = pair.changesOfA.find((change) => change.state === "down");
    assert.ok(down && down.atMillis - cutAt <= 4 * INTERVAL, `${down?.atMillis} after ${cutAt}`);
    assert.match(down.reason, /no probe for \d+ ms/);
  });

  it("a link that carries one way only is down at both ends", () => {
    const pair = new Pair();
    pair.step(20);
    pair.aToB = false;
    pair.step(6);
    assert.equal(pair.b.state, "down");
    assert.equal(pair.a.state, "down");
    assert.match(pair.changesOfA.at(-1)?.reason ?? "", /the peer does not hear us/);
  });

  it("a link that flaps waits 1, 2, 4 … 30 s before it is used again", () => {
    const pair = new Pair();
    pair.step(20);
    const holds: number[] = [];
    for (let flap = 0; flap < 7; flap++) {
      pair.aToB = pair.bToA = false;
      pair.step(8);
      pair.aToB = pair.bToA = true;
      const healedAt = pair.nowMillis;
      while (pair.a.state !== "up") pair.step();
      holds.push(Math.round((pair.nowMillis - healedAt) / 1_000));
    }
    assert.deepEqual(holds, [1, 2, 4, 8, 16, 30, 30]);
  });

  it("a link that is up as long as its hold-down, and gone again, is not used in between", () => {
    const pair = new Pair();
    pair.step(20);
    for (let flap = 0; flap < 5; flap++) {
      for (const carries of [false, true]) {
        pair.aToB = pair.bToA = carries;
        pair.step(1_000 / INTERVAL);
      }
    }
    assert.deepEqual(
      pair.changesOfA.map(({ state }) => state),
      ["up", "down"],
    );
  });

  it("a stall of our own event loop is no silence of the others, and they excuse it", () => {
    const pair = new Pair();
    pair.step(20);
    pair.aRuns = false;
    pair.step(8);
    assert.equal(pair.b.state, "down");
    pair.a.excuseStall(8 * INTERVAL, pair.nowMillis);
    pair.aRuns = true;
    pair.step(3);
    assert.equal(pair.a.state, "up");
    assert.equal(pair.b.state, "up", "without any hold-down");
    assert.deepEqual(
      pair.changesOfA.map((change) => change.state),
      ["up"],
    );
  });

  it("a peer whose process began anew counts from there, and is used again after the first hold-down", () => {
    const pair = new Pair();
    pair.step(100);
    pair.b = new LinkHealth({ intervalMillis: INTERVAL, instance: 3, nowMillis: pair.nowMillis });
    pair.step(25);
    assert.equal(pair.a.state, "up");
    assert.equal(pair.a.lossReversePpm, 0);
  });

  it("loss is counted over its windows, each way", () => {
    const pair = new Pair();
    for (let k = 0; k < 400; k++) {
      pair.bToA = k % 10 !== 0;
      pair.step();
    }
    assert.ok(Math.abs((pair.a.lossReversePpm ?? 0) - 100_000) < 30_000, `${pair.a.lossReversePpm}`);
    assert.ok(Math.abs((pair.b.lossForwardPpm ?? 0) - 100_000) < 30_000, `${pair.b.lossForwardPpm}`);
    assert.equal(pair.b.lossReversePpm, 0);
  });

  it("what both ends lose together is said in half the time, and a few losses are not said at all", () => {
    const saidAfter = (lost: (k: number) => readonly [aToB: boolean, bToA: boolean]): number | null => {
      const pair = new Pair();
      pair.step(200);
      for (let k = 0; k < 60; k++) {
        [pair.aToB, pair.bToA] = lost(k);
        pair.step();
        if (pair.a.advertisedLossPpm > 100_000 && pair.b.advertisedLossPpm > 100_000) return k + 1;
      }
      return null;
    };
    assert.ok((saidAfter((k) => [k % 3 !== 0, k % 3 !== 1]) ?? 99) <= 9);
    assert.equal(
      saidAfter((k) => [k % 15 !== 0, true]),
      null,
    );
    const restarted = new Pair();
    restarted.step(100);
    restarted.b = new LinkHealth({ intervalMillis: INTERVAL, instance: 3, nowMillis: restarted.nowMillis });
    restarted.step(3);
    assert.equal(restarted.b.advertisedLossPpm, 0, "what was before its start was not lost");
    assert.equal(restarted.a.advertisedLossPpm, 0);
  });

  it("a round trip that grew for three probes is the new base at once; one outlier is not", () => {
    const rtt = new RoundTrip();
    for (let k = 0; k < 50; k++) rtt.add(10_000, k * INTERVAL);
    rtt.add(120_000, 2_500);
    assert.equal(rtt.baseMicros, 10_000);
    rtt.add(10_000, 2_550);
    for (let k = 0; k < 3; k++) rtt.add(120_000, 2_600 + k * INTERVAL);
    assert.equal(rtt.baseMicros, 120_000);
  });

  it("arrivals agree with a naive list, late and repeated ones included", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 80 }), (numbers) => {
        const arrivals = new Arrivals();
        const came = new Set<number>();
        const first = numbers[0] ?? 1;
        for (const number of numbers) {
          const fresh = number >= first && !came.has(number);
          if (number >= first) assert.equal(arrivals.add(number), fresh);
          if (number >= first) came.add(number);
        }
        const last = Math.max(...came);
        let lost = 0;
        for (let number = Math.max(first, last - 29); number <= last; number++) if (!came.has(number)) lost++;
        const window = Math.min(30, last - first + 1);
        assert.equal(arrivals.lossPpm(30), Math.round((lost * 1e6) / Math.max(20, window)));
        for (let k = 0; k < 64; k++) assert.equal(((arrivals.map() >> BigInt(k)) & 1n) === 1n, came.has(last - k));
      }),
    );
  });

  it("a probe survives the wire, and nothing else is taken for one", () => {
    const probe: Probe = {
      stalled: true,
      hears: false,
      instance: 0xdead_beef,
      sequence: 77,
      sentMicros: 123_456_789,
      echo: { instance: 3, sequence: 9, sentMicros: 5, heldMicros: 1_000, heard: 0xf0f0_f0f0_f0f0_f0f0n },
      lossShortPpm: 1_000_000,
      lossLongPpm: 0,
      received: { bytes: 2 ** 40, atMicros: 77_000 },
    };
    for (const sent of [probe, { ...probe, received: null }]) assert.deepEqual(decodeProbe(encodeProbe(sent)), sent);
    const [short, long] = [encodeProbe({ ...probe, received: null }), encodeProbe(probe)];
    fc.assert(
      fc.property(fc.constantFrom(short, long), fc.nat(61), fc.nat(255), (packet, at, value) => {
        const changed = Buffer.from(packet);
        changed[at % changed.length] = value;
        const read = decodeProbe(changed);
        // What is read is what would be sent: nothing is taken for a probe that is none.
        if (read) assert.deepEqual(encodeProbe(read), changed);
        assert.equal(decodeProbe(changed.subarray(0, changed.length - 1)), null);
        assert.equal(decodeProbe(Buffer.concat([changed, Buffer.of(0)])), null);
      }),
    );
    const absurd = encodeProbe(probe);
    absurd.writeUIntBE(1_000_001, 44, 3);
    assert.equal(decodeProbe(absurd), null);
  });

  it("hostile probes never throw, and never bring up a link whose other end is silent to us", () => {
    const hostile = fc.record({
      stalled: fc.boolean(),
      hears: fc.boolean(),
      instance: fc.nat(3),
      sequence: fc.integer({ min: 1, max: 0xffff_ffff }),
      sentMicros: fc.nat({ max: 2 ** 48 - 1 }),
      echo: fc.record({
        instance: fc.integer({ min: 2, max: 9 }),
        sequence: fc.nat(0xffff_ffff),
        sentMicros: fc.nat({ max: 2 ** 48 - 1 }),
        heldMicros: fc.nat(0xffff_ffff),
        heard: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
      }),
      lossShortPpm: fc.nat(1_000_000),
      lossLongPpm: fc.nat(1_000_000),
    });
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 30 }), (probes) => {
        const health = new LinkHealth({ intervalMillis: INTERVAL, instance: 1, nowMillis: 0 });
        for (const [index, probe] of probes.entries()) {
          health.nextProbe(index * INTERVAL);
          health.receive(probe, index * INTERVAL + 5);
        }
        // None of them echoes our own instance.
        assert.equal(health.state, "waiting");
      }),
    );
  });
});
