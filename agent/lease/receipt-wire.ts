/** Receipts as JSON, for agents and operators: 64-bit amounts are decimal text, because JSON numbers are exact only to 2^53. */
import { z } from "zod";
import { chainSignature, hex32, leaseId as leaseIdSchema } from "../model/ids.ts";
import type { CosignedReceipt, Receipt } from "./receipt.ts";

const natural = z.number().int().nonnegative();
const amount = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(BigInt);

export const receiptOnWire = z.strictObject({
  leaseId: leaseIdSchema,
  epochs: natural.max(2 ** 32 - 1),
  available: natural.max(2 ** 32 - 1),
  packetsToBuyer: amount,
  bytesToBuyer: amount,
  packetsToSeller: amount,
  bytesToSeller: amount,
  worstRttMicros: natural.max(2 ** 32 - 1),
  worstLossPpm: natural.max(1_000_000),
  release: z.boolean(),
  previous: hex32,
});
export const cosignedReceipt = z.strictObject({
  receipt: receiptOnWire,
  buyerSignature: chainSignature,
  sellerSignature: chainSignature,
});

/** A co-signed receipt as JSON. */
export function cosignedOnWire({ receipt, buyerSignature, sellerSignature }: CosignedReceipt) {
  return { receipt: receiptToWire(receipt), buyerSignature, sellerSignature };
}

/** A receipt as JSON, its amounts as decimal text. */
export function receiptToWire(receipt: Receipt) {
  return {
    ...receipt,
    packetsToBuyer: receipt.packetsToBuyer.toString(),
    bytesToBuyer: receipt.bytesToBuyer.toString(),
    packetsToSeller: receipt.packetsToSeller.toString(),
    bytesToSeller: receipt.bytesToSeller.toString(),
  };
}
