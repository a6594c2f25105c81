import assert from "node:assert/strict";
import { isSentAlready } from "../../agent/chain/client.ts";

describe("chain/client", () => {
  it("each node's words for a transaction that it has are understood", () => {
    for (const words of [
      "already known",
      "transaction already imported",
      "Known transaction",
      "nonce too low: next nonce 4, tx nonce 3",
    ])
      assert.ok(isSentAlready(new Error(words)), words);
    for (const words of ["insufficient funds", "unknown transaction type", "execution reverted"])
      assert.ok(!isSentAlready(new Error(words)), words);
  });
});
