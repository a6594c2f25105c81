/** Checks stored receipts: both signatures, and that each receipt follows the one before it. */
import { type Hex, recoverTypedDataAddress } from "viem";
import { type CosignedReceipt, NO_RECEIPT, receiptHash, receiptTypedData } from "./receipt.ts";

export interface ReceiptParties {
  readonly chainId: number;
  readonly escrow: Hex;
  readonly leaseId: Hex;
  readonly buyerKey: Hex;
  readonly sellerKey: Hex;
}

export interface CheckedReceipt {
  readonly hash: Hex;
  /** Empty: the receipt is valid. */
  readonly problems: readonly string[];
}

/** @param receipts of one lease, in the order in which they were signed. @returns one entry for each, in the same order. */
export async function checkReceiptChain(
  receipts: readonly CosignedReceipt[],
  of: ReceiptParties,
): Promise<CheckedReceipt[]> {
  const hashes = receipts.map(({ receipt }) => receiptHash(of.chainId, of.escrow, receipt));
  return Promise.all(
    receipts.map(async ({ receipt, buyerSignature, sellerSignature }, i) => {
      const signer = (signature: Hex) =>
        recoverTypedDataAddress({ ...receiptTypedData(of.chainId, of.escrow, receipt), signature }).catch(() => null);
      const same = (one: Hex | null, key: Hex) => one?.toLowerCase() === key.toLowerCase();
      const before = receipts[i - 1]?.receipt;
      const problems = [
        receipt.leaseId !== of.leaseId && "it is for another lease",
        !same(await signer(buyerSignature), of.buyerKey) && "the buyer's signature is not by its registered key",
        !same(await signer(sellerSignature), of.sellerKey) && "the seller's signature is not by its registered key",
        receipt.previous !== (hashes[i - 1] ?? NO_RECEIPT) && "it does not follow the receipt stored before it",
        before &&
          (receipt.epochs < before.epochs || receipt.available < before.available) &&
          "it covers or grants less than the receipt before it",
      ].filter((problem) => typeof problem === "string");
      return { hash: hashes[i]!, problems };
    }),
  );
}
