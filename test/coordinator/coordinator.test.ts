import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import type { ChainMessage } from "../../agent/auction/facts.ts";
import { ChainClock } from "../../agent/chain/clock.ts";
import type { ChainFollower, ChainProgress } from "../../agent/chain/follower.ts";
import { Coordinator } from "../../agent/coordinator/coordinator.ts";
import type { Message } from "../../agent/coordinator/messages.ts";
import type { Site } from "../../agent/coordinator/site.ts";
import { SNAPSHOT_MESSAGES, WRITER } from "../../agent/coordinator/world-store.ts";
import { Journal } from "../../agent/journal/journal.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { auctionId } from "../../agent/model/ids.ts";

function coordinatorOf(advance: () => Promise<ChainProgress | null>, checkChain: (() => Promise<void>) | null = null) {
  const controller = new AbortController();
  const told: Message[] = [];
  const journal = Journal.open(join(mkdtempSync(join(tmpdir(), "ephemesh-")), "journal.sqlite"));
  const site = {
    journal,
    clock: new ChainClock({ load: () => new Map(), save: () => undefined }),
    log: pino({ level: "silent" }),
    signal: controller.signal,
    sender: { resume: async () => undefined, handOver: async () => undefined },
  } as unknown as Site;
  const heard = Promise.withResolvers<void>();
  const coordinator = new Coordinator(site, {
    ...{ follower: { advance } as unknown as ChainFollower, checkChain },
    ...{ refreshRegister: async () => undefined, onEnis: () => undefined },
    onMessage: (message) => {
      told.push(message);
      heard.resolve();
    },
  });
  return { coordinator, controller, told, journal, heard: heard.promise };
}

describe("the coordinator's snapshots", function () {
  this.timeout(60_000);
  const cancelled: ChainMessage = { type: "AuctionCancelled", auctionId: auctionId.parse(7) };

  /** One long range of blocks, journaled as the follower does. */
  async function runsThrough(prepare: (journal: Journal) => void = () => undefined) {
    const messages = Array.from({ length: SNAPSHOT_MESSAGES - 1 }, () => cancelled);
    const news: ChainProgress[] = [
      { head: { number: 1, timestampSeconds: 1 }, latestNumber: 1, messages, forkedAt: null, registerChanged: false },
    ];
    const { coordinator, controller, told, journal, heard } = coordinatorOf(async () => {
      const progress = news.shift() ?? null;
      if (progress)
        journal.appendBlocks(
          messages.map((body) => ({ block: 1, body })),
          [],
        );
      return progress;
    });
    prepare(journal);
    const running = coordinator.run();
    await heard;
    assert.equal(journal.snapshot(WRITER), null, "not yet");
    coordinator.dispatch({ type: "Draining", draining: true });
    controller.abort();
    await running;
    assert.equal(told.length, SNAPSHOT_MESSAGES);
    assert.equal(coordinator.draining, true);
    return journal.snapshot(WRITER);
  }

  it("are saved while the agent runs, not only when it starts", async () => {
    assert.equal((await runsThrough())?.sequence, SNAPSHOT_MESSAGES);
  });

  it("stop nothing where they cannot be saved", async () => {
    const saved = await runsThrough((journal) => {
      journal.saveSnapshot = () => assert.fail("the disk is full");
    });
    assert.equal(saved, null);
  });
});

describe("the coordinator's observer", () => {
  it("is told every message once, whether it comes from the chain or from this agent", async () => {
    const cancelled: ChainMessage = { type: "AuctionCancelled", auctionId: auctionId.parse(7) };
    const news = [
      { head: { number: 1, timestampSeconds: 1 }, latestNumber: 1, messages: [cancelled], forkedAt: null },
    ].map((each): ChainProgress => ({ ...each, registerChanged: false }));
    const { coordinator, controller, told, journal, heard } = coordinatorOf(async () => news.shift() ?? null);
    const running = coordinator.run();
    await heard;
    coordinator.dispatch({ type: "Draining", draining: true });
    controller.abort();
    await running;
    assert.deepEqual(told, [cancelled, { type: "Draining", draining: true }]);
    assert.equal(coordinator.draining, true);
    assert.deepEqual(
      journal.messages().map(({ body }) => body),
      [{ type: "Draining", draining: true }],
      "the follower journals the chain's messages, the coordinator its own",
    );
  });

  it("stops nothing when it fails", () => {
    const { coordinator, told } = coordinatorOf(async () => null);
    told.push = () => assert.fail("the observer fails");
    coordinator.dispatch({ type: "Draining", draining: true });
    assert.equal(coordinator.draining, true);
  });

  it("run ends with what the check of the chain refused", async () => {
    const refusal = new EphemeshError("WRONG_CHAIN", "Another chain.", "Correct it.");
    const { coordinator } = coordinatorOf(
      async () => null,
      () => Promise.reject(refusal),
    );
    await assert.rejects(coordinator.run(), refusal);
  });
});
