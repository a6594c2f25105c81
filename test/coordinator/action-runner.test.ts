import assert from "node:assert/strict";
import pino from "pino";
import { ActionRunner } from "../../agent/coordinator/action-runner.ts";
import { emptyMesh } from "../../agent/coordinator/mesh.ts";
import type { Action } from "../../agent/coordinator/next-actions.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { auctionId } from "../../agent/model/ids.ts";
import { monotonicMillis } from "../../agent/model/time.ts";

const mesh = emptyMesh("m");
const scan: Action = { kind: "scan" };
const clear = (id: number): Action => ({ kind: "clear-auction", auctionId: auctionId.parse(id) });

/** A runner whose log is kept, and whose next end of an attempt can be awaited. */
function runnerOf(perform: (action: Action) => Promise<void>) {
  const logged: { level: number; code?: string }[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  let ended = Promise.withResolvers<void>();
  const runner = new ActionRunner(
    { log, signal: new AbortController().signal },
    (_, action) => perform(action),
    () => {
      ended.resolve();
      ended = Promise.withResolvers<void>();
    },
  );
  return { runner, logged, nextEnd: () => ended.promise };
}

describe("the action runner", () => {
  it("runs one attempt at a time for each key; other keys do not wait", async () => {
    const started: string[] = [];
    const gate = Promise.withResolvers<void>();
    const { runner } = runnerOf((action) => {
      started.push("auctionId" in action ? `${action.kind} ${action.auctionId}` : action.kind);
      return gate.promise;
    });
    for (const action of [scan, scan, clear(1), clear(2), clear(1)]) runner.start(mesh, action);
    assert.deepEqual(started, ["scan", "clear-auction 1", "clear-auction 2"]);
    gate.resolve();
    await runner.idle();
    runner.start(mesh, scan);
    assert.equal(started.length, 3, "what was done is not repeated before its event can have been read");
  });

  it("tries a failed action again, each time later", async () => {
    const atMillis: number[] = [];
    const { runner, nextEnd } = runnerOf(() => {
      atMillis.push(monotonicMillis());
      return Promise.reject(new EphemeshError("NOT_YET", "Not yet.", "Wait.", { retryable: true }));
    });
    while (atMillis.length < 4) {
      const attempts = atMillis.length;
      const end = nextEnd();
      runner.start(mesh, scan);
      await (atMillis.length > attempts ? end : new Promise(setImmediate));
    }
    const pauses = atMillis.slice(1).map((at, i) => at - atMillis[i]!);
    // 100, 200 and 400 ms, each with a quarter of jitter.
    for (const [i, least] of [75, 150, 300].entries()) assert.ok(pauses[i]! >= least, pauses.join(", "));
  });

  it("logs an unknown error at once; a failure that says when to try again is no warning, and is not tried before", async () => {
    const { runner, logged, nextEnd } = runnerOf((action) =>
      Promise.reject(
        action.kind === "scan"
          ? new Error("broken")
          : new EphemeshError("SETTLEMENT_WINDOW", "Later.", "Wait.", { retryAfterSeconds: 60 }),
      ),
    );
    for (const action of [scan, clear(1)]) {
      const end = nextEnd();
      runner.start(mesh, action);
      await end;
    }
    assert.deepEqual(
      logged.map(({ level, code }) => [level, code]),
      [
        [50, "UNEXPECTED"],
        [20, "SETTLEMENT_WINDOW"],
      ],
    );
    runner.start(mesh, clear(1));
    await runner.idle();
    assert.equal(logged.length, 2, "an action that named its time is not tried before");
  });
});
