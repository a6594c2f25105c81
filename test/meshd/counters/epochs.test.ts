import { strict as assert } from "node:assert";
import { parseDevices } from "../../../agent/meshd/counters/device-counters.ts";
import { Epochs, lostByChance } from "../../../agent/meshd/counters/epochs.ts";

const BOUNDS = { maxRttMicros: 50_000, maxLossPpm: 10_000 };
const INTERVAL = 100;

/** Sends for so many seconds; `outcome` says the round trip of each probe, null for one that is lost. */
function run(seconds: number, outcome: (index: number) => number | null): ReturnType<Epochs["over"]> {
  const epochs = new Epochs(1_000, BOUNDS, INTERVAL);
  const count = (seconds * 1_000) / INTERVAL;
  for (let index = 0; index < count; index++) {
    const now = 1_000 + index * INTERVAL;
    epochs.addSent(index + 1, now);
    const rtt = outcome(index);
    if (rtt !== null) epochs.acknowledge(index + 1, 1n, rtt);
  }
  return epochs.over(1_000 + seconds * 1_000 + 3_000);
}

describe("metering epochs", () => {
  it("all probes of a good link meet the bounds, and each epoch has as many as were due", () => {
    const over = run(30, () => 20_000);
    assert.deepEqual(
      over,
      [0, 1, 2].map((epoch) => ({ epoch, probes: 100, met: 100, worstRttMicros: 20_000, worstLossPpm: 0 })),
    );
  });

  it("a probe that comes back late is not met, the others are", () => {
    const [epoch] = run(10, (index) => (index % 4 === 0 ? 60_000 : 20_000));
    assert.equal(epoch?.met, 75);
    assert.equal(epoch?.worstRttMicros, 60_000);
  });

  it("loss that is evidence of more than the bound takes the probes around it along; chance does not", () => {
    assert.equal(lostByChance(100, 10_000), 3);
    assert.equal(run(10, (index) => (index % 40 === 20 ? null : 20_000))[0]?.met, 98);
    const lossy = run(20, (index) => (index % 10 === 5 ? null : 20_000));
    assert.ok((lossy[1]?.met ?? 100) < 90);
    assert.equal(lossy[1]?.worstLossPpm, 100_000);
  });

  it("what was sent before the link ever worked is not met, but is no evidence of loss", () => {
    const [first, second] = run(20, (index) => (index < 8 ? null : 20_000));
    assert.equal(first?.met, 92);
    assert.equal(second?.met, 100);
  });

  it("probes that were due and never sent count as due: an interface that came late was not available", () => {
    const epochs = new Epochs(0, BOUNDS, INTERVAL);
    for (let number = 1; number <= 50; number++) {
      epochs.addSent(number, 5_000 + number * INTERVAL);
      epochs.acknowledge(number, 1n, 9_000);
    }
    const [epoch] = epochs.over(20_000);
    assert.deepEqual([epoch?.probes, epoch?.met], [98, 49]);
  });

  it("an epoch of silence has probes, and none is met", () => {
    const over = run(20, (index) => (index < 100 ? 20_000 : null));
    assert.equal(over[1]?.probes, 100);
    assert.equal(over[1]?.met, 0);
  });

  it("an acknowledgement by map counts the probes before the newest as well", () => {
    const epochs = new Epochs(0, BOUNDS, INTERVAL);
    for (let number = 1; number <= 10; number++) epochs.addSent(number, number * INTERVAL);
    epochs.acknowledge(10, 0b1111111111n, 9_000);
    assert.equal(epochs.over(13_000)[0]?.met, 10);
  });
});

describe("device counters", () => {
  it("reads bytes, packets and drops of /proc/net/dev, whatever the columns' width", () => {
    const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
eph0123456789ab:25592937   23686    0    2    0     0          0         0 25482771   22464    0    1    0     0       0          0`;
    assert.deepEqual(parseDevices(text).get("eph0123456789ab"), {
      receivedBytes: 25592937,
      receivedPackets: 23686,
      sentBytes: 25482771,
      sentPackets: 22464,
      droppedPackets: 3,
    });
  });
});
