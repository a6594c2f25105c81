import assert from "node:assert/strict";
import { SerialQueue } from "../../agent/model/serial-queue.ts";

describe("serial queue", () => {
  it("runs one at a time in the order of the calls; a failure concerns its caller alone", async () => {
    const queue = new SerialQueue();
    const steps: string[] = [];
    const work = (name: string, fails = false) =>
      queue.run(async () => {
        steps.push(`${name} begins`);
        await new Promise(setImmediate);
        steps.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      });
    const results = await Promise.allSettled([work("a"), work("b", true), work("c")]);
    assert.deepEqual(
      results.map((result) => (result.status === "fulfilled" ? result.value : String(result.reason.message))),
      ["a", "b", "c"],
    );
    assert.deepEqual(
      steps,
      ["a", "b", "c"].flatMap((name) => [`${name} begins`, `${name} ends`]),
    );
  });
});
