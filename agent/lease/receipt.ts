/** The cumulative receipt that both agents sign (EIP-712); with `release`, the agreement that the lease ends there. */
import { type Hex, hashTypedData, pad } from "viem";
import { EPOCH_SECONDS, SLOT_SECONDS } from "../model/market.ts";
import { signingDomain } from "../model/signing-domain.ts";

export interface Receipt {
  readonly leaseId: Hex;
  /** Epochs of 10 s that it covers, from the lease's start. */
  readonly epochs: number;
  readonly available: number;
  readonly packetsToBuyer: bigint;
  readonly bytesToBuyer: bigint;
  readonly packetsToSeller: bigint;
  readonly bytesToSeller: bigint;
  readonly worstRttMicros: number;
  readonly worstLossPpm: number;
  readonly release: boolean;
  /** Hash of the receipt before it. */
  readonly previous: Hex;
}

export interface CosignedReceipt {
  readonly receipt: Receipt;
  readonly buyerSignature: Hex;
  readonly sellerSignature: Hex;
}

export const NO_RECEIPT: Hex = pad("0x0", { size: 32 });

const TYPES = {
  Receipt: [
    { name: "leaseId", type: "bytes32" },
    { name: "epochs", type: "uint32" },
    { name: "available", type: "uint32" },
    { name: "packetsToBuyer", type: "uint64" },
    { name: "bytesToBuyer", type: "uint64" },
    { name: "packetsToSeller", type: "uint64" },
    { name: "bytesToSeller", type: "uint64" },
    { name: "worstRttMicros", type: "uint32" },
    { name: "worstLossPpm", type: "uint32" },
    { name: "release", type: "bool" },
    { name: "previous", type: "bytes32" },
  ],
} as const;

/** What `signTypedData` takes. */
export function receiptTypedData(chainId: number, escrow: Hex, receipt: Receipt) {
  return {
    domain: signingDomain(chainId, escrow),
    types: TYPES,
    primaryType: "Receipt",
    message: receipt,
  } as const;
}

/** The digest that is signed, equal to the escrow's `receiptDigest`; also `previous` of the next receipt. */
export function receiptHash(chainId: number, escrow: Hex, receipt: Receipt): Hex {
  return hashTypedData(receiptTypedData(chainId, escrow, receipt));
}

/** Settles at once: the last epoch is covered, or both agreed to end. */
export function isFinal(receipt: Pick<Receipt, "epochs" | "release">, slots: number): boolean {
  return receipt.release || receipt.epochs * EPOCH_SECONDS === slots * SLOT_SECONDS;
}
