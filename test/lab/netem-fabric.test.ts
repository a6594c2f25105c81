import assert from "node:assert/strict";
import { topologyLink } from "../../lab/fabric/fabric.ts";
import { loadKernelModules } from "../../lab/fabric/kernel-modules.ts";
import { kernelHasNetem } from "../../lab/fabric/netem-fabric.ts";
import { ipLines, linkLine, tcLines } from "../../lab/fabric/netem-plan.ts";
import { Lab } from "../../lab/lab.ts";
import { attachments } from "../../lab/layout/plan.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";

const topology = uniformTopology({ regions: 3, rttMillis: 40, pairMbps: 100 });

describe("lab/netem-plan: cables as queues of the kernel", () => {
  const [from, to] = attachments(topology).filter((at) => at.fabricIndex === 1);
  const link = topologyLink(topology, { fabric: "fabric-1", from: "r1", to: "r2" });

  it("each pair of a fabric has its own queue toward the receiver, chosen by the sender's address", () => {
    const queues = tcLines(topology).filter((line) => line.includes(" netem "));
    assert.equal(new Set(queues).size, 2 * 3 * 2);
    assert.equal(tcLines(topology).filter((line) => line.includes("flower src_mac")).length, queues.length);
    assert.equal(ipLines(topology, "lab").filter((line) => line.includes("type veth")).length, 6);
  });

  it("the queue is large enough for packets that wait and packets in flight", () => {
    // 100 Mbit/s for 20 ms under way, 50 ms waiting.
    assert.match(linkLine(from!, to!, link), /limit 578 delay 20000us loss random 0% rate 100000kbit$/);
  });

  it("jitter is added to the delay, a cut is a loss of 100 %, no rate is no limit", () => {
    const changed = linkLine(from!, to!, { ...link, jitterMicros: 4000, cut: true, rateKbps: 0 });
    assert.match(
      changed,
      /^qdisc change dev f1p2 parent 1:1 handle 10: netem limit 100000 delay 22000us 2000us loss random 100% rate 0$/,
    );
  });
});

describe("lab/netem-fabric (real namespaces)", function () {
  this.timeout(120_000);

  it("delays, loses, cuts and heals if the kernel has netem; otherwise says that it has not", async () => {
    await loadKernelModules();
    if (!(await kernelHasNetem())) {
      await assert.rejects(Lab.up({ topology, fabrics: "netem" }), { code: "LAB_NO_NETEM" });
      return;
    }
    const lab = await Lab.up({ topology, fabrics: "netem" });
    const ping = async (from: string, address: string) => {
      const output = await lab.exec(from, [
        "sh",
        "-c",
        '"$@" || true',
        "sh",
        "ping",
        "-c",
        "5",
        "-i",
        "0.2",
        "-W",
        "1",
        address,
      ]);
      return [...output.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
    };
    try {
      const rtts = await ping("r1", "192.0.2.12");
      assert.equal(rtts.length, 5);
      assert.ok(Math.min(...rtts) >= 40 && Math.min(...rtts) < 100, `${rtts}`);
      assert.equal((await ping("r1/host", "fd65:7068:3::10")).length, 5);
      await lab.cut("r1", "r2");
      assert.equal((await ping("r1", "192.0.2.12")).length, 0);
      assert.equal((await ping("r1", "192.0.2.13")).length, 5);
      await lab.heal();
      await lab.delay("r1", "r2", 100);
      const longer = await ping("r1", "192.0.2.12");
      assert.ok(Math.min(...longer) >= 100, `${longer}`);
      assert.ok((await lab.readCounters({ fabric: "fabric-1", from: "r1", to: "r2" })).frames >= 10);
    } finally {
      await lab.down();
    }
  });
});
