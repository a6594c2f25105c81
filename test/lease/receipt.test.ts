import { expect } from "chai";
import { type Hex, recoverTypedDataAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { isFinal, NO_RECEIPT, type Receipt, receiptHash, receiptTypedData } from "../../agent/lease/receipt.ts";

const escrow: Hex = `0x${"e5".repeat(20)}`;
const receipt: Receipt = {
  leaseId: `0x${"01".repeat(32)}`,
  epochs: 12,
  available: 110,
  packetsToBuyer: 1n,
  bytesToBuyer: 2n,
  packetsToSeller: 3n,
  bytesToSeller: 4n,
  worstRttMicros: 5,
  worstLossPpm: 6,
  release: false,
  previous: NO_RECEIPT,
};

describe("lease/receipt", () => {
  it("binds every field, the chain and the contract", () => {
    const changes: Partial<Receipt>[] = [
      { leaseId: `0x${"02".repeat(32)}` },
      { epochs: 13 },
      { available: 100 },
      { packetsToBuyer: 9n },
      { bytesToBuyer: 9n },
      { packetsToSeller: 9n },
      { bytesToSeller: 9n },
      { worstRttMicros: 9 },
      { worstLossPpm: 9 },
      { release: true },
      { previous: `0x${"03".repeat(32)}` },
    ];
    const hashes = [
      receiptHash(7357, escrow, receipt),
      receiptHash(1, escrow, receipt),
      receiptHash(7357, `0x${"e6".repeat(20)}`, receipt),
      ...changes.map((change) => receiptHash(7357, escrow, { ...receipt, ...change })),
    ];
    expect(new Set(hashes).size).to.equal(hashes.length);
  });

  it("is what a wallet signs", async () => {
    const account = privateKeyToAccount(`0x${"22".repeat(32)}`);
    const typed = receiptTypedData(7357, escrow, receipt);
    expect(await recoverTypedDataAddress({ ...typed, signature: await account.signTypedData(typed) })).to.equal(
      account.address,
    );
  });

  it("is final when it covers the last epoch or releases", () => {
    expect(isFinal({ epochs: 30, release: false }, 5)).to.equal(true);
    expect(isFinal({ epochs: 29, release: false }, 5)).to.equal(false);
    expect(isFinal({ epochs: 2, release: true }, 5)).to.equal(true);
  });
});
