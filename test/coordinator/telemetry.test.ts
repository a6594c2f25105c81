import assert from "node:assert/strict";
import { Telemetry } from "../../agent/coordinator/telemetry.ts";
import type { MeshdClient } from "../../agent/meshd-client.ts";
import { linkId, regionId } from "../../agent/model/ids.ts";

const LINK = linkId.parse(`0x${"01".repeat(32)}`);
const epochs = (...numbers: number[]) =>
  numbers.map((epoch) => ({ epoch, probes: 100, met: 100 + epoch, worstRttMicros: 1, worstLossPpm: 0 }));

describe("telemetry", () => {
  let answers: Record<string, unknown>;
  const meshd = { ask: async (kind: string) => answers[kind] } as unknown as MeshdClient;
  const reading = (judged: ReturnType<typeof epochs>, bytes: number) => ({
    heartbeat: { uptimeMillis: 0, version: "0.1.0" },
    measurements: {
      meshes: [{ meshId: 1, links: [{ linkId: LINK, attempt: 0, state: "up", sinceMonotonicMillis: 0, peer: 2 }] }],
    },
    counters: {
      links: [{ linkId: LINK, receivedPackets: 1, receivedBytes: bytes, sentPackets: 1, sentBytes: 1, epochs: judged }],
    },
  });

  it("bytes and judged epochs of a former interface still count after meshd restarted", async () => {
    const telemetry = new Telemetry({ self: regionId.parse(1), meshd });
    answers = reading(epochs(0, 1, 2), 500);
    await telemetry.read([]);
    answers = reading(epochs(4), 30);
    await telemetry.read([]);
    const counted = telemetry.counters.get(LINK);
    assert.deepEqual(
      counted?.epochs.map(({ epoch, met }) => [epoch, met]),
      [0, 1, 2, 4].map((epoch) => [epoch, 100 + epoch]),
    );
    assert.equal(counted?.receivedBytes, 530);
  });

  it("shows no link once meshd has none", async () => {
    const telemetry = new Telemetry({ self: regionId.parse(1), meshd });
    answers = reading([], 0);
    await telemetry.read([]);
    assert.equal(telemetry.links.size, 1);
    telemetry.clear();
    assert.deepEqual([telemetry.links.size, telemetry.enis.length], [0, 0]);
  });
});
