import assert from "node:assert/strict";
import { handAddress } from "../../bench/mesh/manual-tunnels.ts";
import { cpuMillis, deviceCounts } from "../../bench/mesh/usage.ts";

describe("benches: tunnels made by hand", () => {
  const links = [
    { a: 1, b: 2 },
    { a: 3, b: 2 },
  ];

  it("the two ends of a link are neighbours in a network of their own, whoever is named first", () => {
    assert.deepEqual([handAddress(links, 1, 2), handAddress(links, 2, 1)], ["10.99.0.1", "10.99.0.2"]);
    assert.deepEqual([handAddress(links, 2, 3), handAddress(links, 3, 2)], ["10.99.1.1", "10.99.1.2"]);
  });

  it("there is no address for a link that is not there", () => {
    assert.throws(() => handAddress(links, 1, 3), RangeError);
  });
});

describe("benches: what processes cost", () => {
  it("processor time grows with work, and a process that is gone has none", async () => {
    const before = await cpuMillis([process.pid]);
    let sum = 0;
    for (let step = 0; step < 5_000_000; step++) sum += Math.sqrt(step);
    assert.ok(sum > 0);
    assert.ok((await cpuMillis([process.pid])) > before);
    assert.equal(await cpuMillis([0x7fff_fffe]), 0);
  });

  it("devices are those of the process's own network", async () => {
    const devices = await deviceCounts(process.pid);
    assert.ok(devices.has("lo"));
    for (const { sentBytes, sentPackets } of devices.values()) assert.ok(sentBytes >= sentPackets);
  });
});
