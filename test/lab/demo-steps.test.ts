import assert from "node:assert/strict";
import { describeError, EphemeshError } from "../../agent/model/errors.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import { PeeringWatch } from "../../lab/demo/peering-watch.ts";
import { logExcerpt, stepRunner } from "../../lab/demo/steps.ts";

const failing = async (): Promise<never> => {
  throw new EphemeshError("LAB_SITE_ENDED", "r2 ended (1).", "See its log.");
};

describe("a demo that fails", () => {
  it("names the step, its error with the remedy, and the last log lines of the regions", async () => {
    const step = stepRunner(async () => ["r2: agent: no such key"]);
    await assert.rejects(step("start the agents", failing), (error: EphemeshError) => {
      assert.equal(error.code, "DEMO_STEP_FAILED");
      assert.deepEqual(describeError(error).split("\n"), [
        'The demo failed at the step "start the agents": r2 ended (1).',
        "  r2: agent: no such key",
        "  → See its log.",
      ]);
      return true;
    });
  });

  it("reports the step's error if the logs cannot be read", async () => {
    const step = stepRunner(failing);
    await assert.rejects(
      step("scan", async () => assert.fail("the first error")),
      /"scan": the first error$/,
    );
  });

  it("reports an interruption as it is", async () => {
    const interrupted = new EphemeshError("INTERRUPTED", "Interrupted by SIGINT.", "");
    const step = stepRunner(async () => assert.fail("no log is read"));
    await assert.rejects(
      step("scan", async () => {
        throw interrupted;
      }),
      (error) => error === interrupted,
    );
  });

  it("reports the step that failed, not the watch that fails when the lab is gone", async () => {
    const laterErrors: unknown[] = [];
    const hear = (error: unknown) => void laterErrors.push(error);
    const others = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection").on("unhandledRejection", hear);
    try {
      const [labGone, readAfterwards] = [Promise.withResolvers<number>(), Promise.withResolvers<void>()];
      labGone.promise.catch(() => readAfterwards.resolve());
      new PeeringWatch(() => labGone.promise);
      const step = stepRunner(async () => []);
      await assert.rejects(step("form the mesh", failing), /"form the mesh": r2 ended/);
      labGone.reject(new Error("the lab's wire has ended"));
      await readAfterwards.promise;
      await new Promise(setImmediate);
      assert.deepEqual(laterErrors, []);
    } finally {
      process.off("unhandledRejection", hear);
      for (const other of others) process.on("unhandledRejection", other);
    }
  });
});

describe("the demo's watch of the peering", () => {
  it("gives the time of the last packet", async () => {
    const counted = [3, 7, 7, 7];
    const askedMillis: number[] = [];
    const done = Promise.withResolvers<void>();
    const watch = new PeeringWatch(async () => {
      askedMillis.push(monotonicMillis());
      if (askedMillis.length === counted.length) done.resolve();
      return counted[askedMillis.length - 1] ?? 7;
    });
    await done.promise;
    const lastMillis = await watch.end();
    assert.ok(lastMillis >= askedMillis[1]! && lastMillis <= askedMillis[2]!);
  });

  it("throws what reading threw while its result is needed", async () => {
    const watch = new PeeringWatch(async () => {
      throw new Error("no counter");
    });
    await assert.rejects(watch.end(), /no counter/);
  });
});

describe("the excerpt of a log", () => {
  const line = (level: number, msg: string, err?: string) =>
    JSON.stringify({ level, part: "agent", msg, ...(err && { err: { message: err } }) });

  it("is its last warnings and errors, with the error's message", () => {
    const log = [line(40, "first"), line(50, "second", "refused"), line(30, "info"), line(40, "third")].join("\n");
    assert.deepEqual(logExcerpt(log, 2), ["agent: second: refused", "agent: third"]);
  });

  it("is its last lines if there are no warnings", () => {
    assert.deepEqual(logExcerpt(`${line(30, "a")}\n${line(30, "b")}\n${line(30, "c")}\n`, 2), ["agent: b", "agent: c"]);
  });

  it("includes what a process that crashes prints as plain text", () => {
    assert.deepEqual(logExcerpt(`${line(30, "a")}\nTypeError: x is undefined\n`, 5), ["TypeError: x is undefined"]);
  });
});
