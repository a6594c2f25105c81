import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { runDemo } from "../../lab/demo/demo.ts";
import { type DemoFigures, figuresTable } from "../../lab/demo/figures.ts";
import { readTopology } from "../../lab/layout/topology.ts";
import { processesInside } from "../../lab/process/processes.ts";
import { withLab } from "../../lab/with-lab.ts";

/** The demo with assertions. Speeds are figures, not assertions: a loaded machine proves nothing about the product. */
describe("one event, end to end, on real interfaces", function () {
  this.timeout(600_000);
  let figures: DemoFigures;
  const told: string[] = [];
  const capabilities = new Map<string, bigint>();

  before(async () => {
    const topology = await readTopology(new URL("../../lab/topologies/six-clouds.json", import.meta.url).pathname);
    figures = await withLab({ topology }, (lab, signal) =>
      runDemo(
        lab,
        {
          hub: "eu-central-1",
          receiver: "eu-north-1",
          file: process.execPath,
          tell: (line) => told.push(line),
          beforeEnd: async () => {
            for (const { pid } of await processesInside([lab.namespace("eu-central-1")])) {
              const role = /main\.ts\0(agent|meshd)\0/.exec(readFileSync(`/proc/${pid}/cmdline`, "utf8"))?.[1];
              const effective = /CapEff:\s+([0-9a-f]+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
              if (role && effective) capabilities.set(role, BigInt(`0x${effective}`));
            }
          },
        },
        signal,
      ),
    );
  });

  it("the file is at the far end, byte for byte, though a cable was cut in the middle", () =>
    assert.equal(figures.digestMatches, true));

  it("after the cut the transfer went on over the mesh, by another region", () => {
    assert.ok(figures.detour.length >= 2, figures.detour.join(" → "));
    assert.ok(figures.meshMbpsAfterCut > 0);
    // What the peering carried meanwhile is less than a tenth of the file: a failover is not a fall-back.
    assert.ok(figures.peeringMegabytesMeanwhile < 13, `${figures.peeringMegabytesMeanwhile} MB went over the peering`);
  });

  it("every step of the life was measured", () => {
    for (const [step, millis] of Object.entries(figures.steps))
      assert.ok(Number.isFinite(millis), `${step} is ${millis}`);
    for (const figure of [
      figures.triggerToFirstPacketMillis,
      figures.peeringMbps,
      figures.meshMbps,
      figures.failoverGapMillis.cableCut,
      figures.failoverGapMillis.silentLoss,
      figures.agentRssMegabytes,
      figures.idleCpuPercent,
    ])
      assert.ok(Number.isFinite(figure) && figure >= 0, JSON.stringify(figures));
    assert.equal(figuresTable(figures).length >= 15, true);
  });

  it("INV-10: nothing is left, and the primary configuration is byte for byte what it was", () => {
    assert.equal(figures.leftBehind, 0, told.join("\n"));
    assert.equal(figures.primaryUntouched, true);
  });

  it("every score is what its events give", () => assert.equal(figures.auditMatches, true));

  it("the agent holds no capability, meshd CAP_NET_ADMIN and nothing else", () => {
    assert.equal(capabilities.get("agent"), 0n);
    assert.equal(capabilities.get("meshd"), 1n << 12n);
  });
});
