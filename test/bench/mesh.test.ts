import assert from "node:assert/strict";
import { handAddress } from "../../bench/mesh/manual-tunnels.ts";
import { cpuMillis, deviceCounts } from "../../bench/mesh/usage.ts";

describe("benchmarks: manual tunnels", () => {
  const links = [
    { a: 1, b: 2 },
    { a: 3, b: 2 },
  ];

  it("the two ends of a link have addresses in one network of their own", () => {
    assert.deepEqual([handAddress(links, 1, 2), handAddress(links, 2, 1)], ["10.99.0.1", "10.99.0.2"]);
    assert.deepEqual([handAddress(links, 2, 3), handAddress(links, 3, 2)], ["10.99.1.1", "10.99.1.2"]);
  });

  it("a link that does not exist has no address", () => {
    assert.throws(() => handAddress(links, 1, 3), RangeError);
  });
});

describe("benchmarks: usage of processes", () => {
  it("processor time grows with work; a process that has ended has none", async () => {
    const before = await cpuMillis([process.pid]);
    let sum = 0;
    for (let step = 0; step < 5_000_000; step++) sum += Math.sqrt(step);
    assert.ok(sum > 0);
    assert.ok((await cpuMillis([process.pid])) > before);
    assert.equal(await cpuMillis([0x7fff_fffe]), 0);
  });

  it("devices are those of the process's network namespace", async () => {
    const devices = await deviceCounts(process.pid);
    assert.ok(devices.has("lo"));
    for (const { sentBytes, sentPackets } of devices.values()) assert.ok(sentBytes >= sentPackets);
  });
});
