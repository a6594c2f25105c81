import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isSentAlready, loadDeployment } from "../../agent/chain/client.ts";
import { EphemeshError } from "../../agent/model/errors.ts";

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

  describe("the deployment file", () => {
    const folder = mkdtempSync(join(tmpdir(), "ephemesh-deployment-"));
    after(() => rmSync(folder, { recursive: true }));
    const address = (digit: string) => `0x${digit.repeat(40)}`;
    const load = (more: object) => {
      const contracts = { membership: address("1"), auction: address("2"), escrow: address("3") };
      const others = { reputation: address("4"), token: address("5") };
      const file = { chainId: 1, fromBlock: 1, ...contracts, ...others, ...more };
      writeFileSync(join(folder, "deployment.json"), JSON.stringify(file));
      return loadDeployment(folder);
    };
    const refused = (more: object, reason: RegExp) =>
      assert.throws(
        () => load(more),
        (error) =>
          error instanceof EphemeshError && error.code === "DEPLOYMENT_UNREADABLE" && reason.test(error.message),
      );
    const list = (fromBlock: number) => ({ fromBlock, validators: [address("a")] });

    it("need not say how blocks are sealed, or by whom", () => {
      assert.deepEqual([load({}).consensus, load({}).validators], [undefined, undefined]);
      assert.equal(load({ consensus: "clique", validators: [list(0), list(9)] }).consensus, "clique");
      refused({ consensus: "poa" }, /consensus/);
    });

    it("has its lists of validators in the order of the blocks from which they hold, none of them empty", () => {
      refused({ validators: [list(9), list(0)] }, /ascend/);
      refused({ validators: [list(9), list(9)] }, /ascend/);
      refused({ validators: [{ fromBlock: 0, validators: [] }] }, /validators/);
    });
  });
});
