import assert from "node:assert/strict";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import {
  type CosignedReceipt,
  NO_RECEIPT,
  type Receipt,
  receiptHash,
  receiptTypedData,
} from "../../agent/lease/receipt.ts";
import { checkReceiptChain } from "../../agent/lease/receipt-chain.ts";
import { cosignedOnWire, cosignedReceipt } from "../../agent/lease/receipt-wire.ts";

const [buyer, seller, stranger] = ["1", "2", "3"].map((n) => privateKeyToAccount(`0x${n.repeat(64)}`));
const escrow: Hex = `0x${"e5".repeat(20)}`;
const leaseId: Hex = `0x${"01".repeat(32)}`;
const of = { chainId: 7357, escrow, leaseId, buyerKey: buyer!.address, sellerKey: seller!.address };

async function signed(receipt: Receipt, bySeller = seller!, chainId = of.chainId): Promise<CosignedReceipt> {
  const data = receiptTypedData(chainId, escrow, receipt);
  return {
    receipt,
    buyerSignature: await buyer!.signTypedData(data),
    sellerSignature: await bySeller.signTypedData(data),
  };
}
const receipt = (epochs: number, previous: Hex, more: Partial<Receipt> = {}): Receipt => ({
  ...{ leaseId, epochs, available: 10 * epochs, packetsToBuyer: 1n, bytesToBuyer: 2n ** 60n, packetsToSeller: 3n },
  ...{ bytesToSeller: 4n, worstRttMicros: 5, worstLossPpm: 6, release: false, previous, ...more },
});
const hash = (of_: Receipt) => receiptHash(of.chainId, escrow, of_);
const problems = async (...receipts: CosignedReceipt[]) =>
  (await checkReceiptChain(receipts, of)).map(({ problems: found }) => found);

describe("lease/receipt-chain", () => {
  const first = receipt(1, NO_RECEIPT);
  const second = receipt(3, hash(first));

  it("receipts with both signatures that follow each other have no problems", async () =>
    assert.deepEqual(await problems(await signed(first), await signed(second)), [[], []]));

  it("a signature by another key, or for another chain, is reported with its side", async () => {
    assert.match((await problems(await signed(first, stranger)))[0]!.join(), /seller's signature/);
    assert.equal((await problems(await signed(first, seller, 1)))[0]!.length, 2);
  });

  it("a missing, altered or reordered receipt is a problem of the receipts after it", async () => {
    const broken = /does not follow/;
    assert.match((await problems(await signed(second)))[0]!.join(), broken);
    const altered = await signed({ ...first, available: 9 });
    assert.match((await problems(altered, await signed(second)))[1]!.join(), broken);
    const back = receipt(2, hash(second), { available: 5 });
    assert.match(
      (await problems(await signed(first), await signed(second), await signed(back)))[2]!.join(),
      /covers or grants less/,
    );
    assert.match((await problems(await signed({ ...first, leaseId: NO_RECEIPT })))[0]!.join(), /another lease/);
  });

  it("encoding and decoding keeps a receipt, whatever the size of its counters", async () => {
    const kept = await signed(first);
    assert.deepEqual(cosignedReceipt.parse(JSON.parse(JSON.stringify(cosignedOnWire(kept)))), kept);
  });
});
