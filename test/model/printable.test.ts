import assert from "node:assert/strict";
import { describeError, EphemeshError } from "../../agent/model/errors.ts";
import { printable, printableLines } from "../../agent/model/printable.ts";

describe("model/printable", () => {
  it("control characters and those that turn the direction of writing are shown, all else is as it was", () => {
    assert.equal(
      printable("\u001b[2J\u009b8m\u007f\r\n\t\u202e"),
      "\\u001b[2J\\u009b8m\\u007f\\u000d\\u000a\\u0009\\u202e",
    );
    for (const text of ["", "eu-central · 10.0.0.0/8 → µs, ça, 東京, 🙂", "\\u001b"])
      assert.equal(printable(text), text);
  });

  it("lines of our own stay lines", () => assert.equal(printableLines("a\n  → b\u001b"), "a\n  → b\\u001b"));

  it("an error's text cannot command the terminal, whatever it quotes", () => {
    const quoted = "\u001b[2Jall is well";
    for (const error of [new EphemeshError("X", quoted, quoted), new Error(quoted), quoted])
      assert.ok(!describeError(error).includes("\u001b"));
    assert.match(describeError(new EphemeshError("X", "what", "do")), /^what\n {2}→ do$/);
  });
});
