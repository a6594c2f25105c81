import assert from "node:assert/strict";
import pino from "pino";
import type { ChainFollower, ChainProgress } from "../../agent/chain/follower.ts";
import { ChainPoller, type ChainPollerOptions } from "../../agent/coordinator/chain-poller.ts";
import { EphemeshError } from "../../agent/model/errors.ts";

const unreachable = () => new EphemeshError("RPC_UNREACHABLE", "No RPC node answers.", "Wait.", { retryable: true });
const progress = (registerChanged = false): ChainProgress => ({
  ...{ head: { number: 7, timestampSeconds: 1000 }, latestNumber: 9, messages: [], forkedAt: null, registerChanged },
});

/** A poller that is asked as fast as its pauses allow, until a condition holds. */
function pollerOf(advance: () => Promise<ChainProgress | null>, options: Partial<ChainPollerOptions> = {}) {
  const handedOver = { times: 0 };
  const site = {
    journal: { cursor: () => ({ blockNumber: 3, blockHash: "0x" }) },
    sender: { handOver: async () => void handedOver.times++ },
    log: pino({ level: "silent" }),
    signal: new AbortController().signal,
  } as unknown as ConstructorParameters<typeof ChainPoller>[0];
  const poller = new ChainPoller(site, {
    follower: { advance } as unknown as ChainFollower,
    ...{ check: null, refreshRegister: async () => undefined },
    ...{ onProgress: () => undefined, onRefusal: () => undefined },
    ...options,
  });
  const until = async (holds: () => boolean) => {
    while (!holds()) {
      poller.poll(1);
      await new Promise(setImmediate);
    }
  };
  return { poller, handedOver, until };
}

describe("the chain poller", () => {
  it("begins at the journal's cursor and knows nothing of the chain before the first answer", async () => {
    const { poller, until } = pollerOf(async () => progress());
    assert.deepEqual([poller.blockNumber, poller.wasAsked, poller.isReachable], [3, false, false]);
    await until(() => poller.wasAsked);
    assert.deepEqual([poller.blockNumber, poller.headNumber, poller.isReachable], [7, 9, true]);
  });

  it("while no node answers hands over what is signed, less and less often, and goes on when one does", async () => {
    const answers = [unreachable(), unreachable(), unreachable(), null];
    const { poller, handedOver, until } = pollerOf(async () => {
      const next = answers.shift();
      if (next) throw next;
      return null;
    });
    await until(() => handedOver.times === 3);
    assert.equal(poller.isReachable, false);
    await until(() => poller.isReachable);
    assert.equal(handedOver.times, 3);
  });

  it("reads and sends nothing before its check has passed", async () => {
    const steps: string[] = [];
    const checks = [unreachable(), null];
    const { poller, until } = pollerOf(
      async () => {
        steps.push("read");
        return null;
      },
      {
        check: async () => {
          steps.push("check");
          const next = checks.shift();
          if (next) throw next;
        },
      },
    );
    await until(() => steps.filter((step) => step === "read").length === 2);
    assert.deepEqual(steps, ["check", "check", "read", "read"], "once it has passed, it is not made again");
    assert.ok(poller.isReachable);
  });

  it("a check that refuses for good is the end", async () => {
    const refusal = new EphemeshError("WRONG_CHAIN", "Another chain.", "Correct it.");
    let refusals = 0;
    const { poller, handedOver, until } = pollerOf(() => assert.fail("the chain was read"), {
      check: () => Promise.reject(refusal),
      onRefusal: () => void refusals++,
    });
    await until(() => poller.refusal !== null);
    assert.deepEqual([poller.refusal, refusals, handedOver.times], [refusal, 1, 0]);
  });

  it("a register that changed is read again until that succeeded", async () => {
    const refreshes = [unreachable(), null];
    let told = 0;
    const news = [progress(true), null, null];
    const { poller, until } = pollerOf(async () => news.shift() ?? null, {
      onProgress: () => void told++,
      refreshRegister: async () => {
        const next = refreshes.shift();
        if (next) throw next;
      },
    });
    await until(() => refreshes.length === 0 && poller.isReachable);
    assert.equal(told, 1, "what was read is told once, though the register failed after it");
  });
});
