/** The cumulative receipt that both agents sign (EIP-712). With `release` it also ends the lease. */
import { type Hex, hashTypedData, pad } from "viem";
import { EPOCH_SECONDS, SLOT_SECONDS } from "../model/market.ts";
import { signingDomain } from "../model/signing-domain.ts";

export interface Receipt {
  readonly leaseId: Hex;
  /** Epochs of 10 s covered, from the lease's start. */
  readonly epochs: number;
  /** Available seconds. */
  readonly available: number;
  readonly packetsToBuyer: bigint;
  readonly bytesToBuyer: bigint;
  readonly packetsToSeller: bigint;
  readonly bytesToSeller: bigint;
  readonly worstRttMicros: number;
  readonly worstLossPpm: number;
  readonly release: boolean;
  /** Hash of the receipt before this one, or `NO_RECEIPT`. */
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

/** The argument of `signTypedData`. */
export function receiptTypedData(chainId: number, escrow: Hex, receipt: Receipt) {
  return {
    domain: signingDomain(chainId, escrow),
    types: TYPES,
    primaryType: "Receipt",
    message: receipt,
  } as const;
}

/** The digest that both sign, equal to the escrow's `receiptDigest`; the next receipt names it as `previous`. */
export function receiptHash(chainId: number, escrow: Hex, receipt: Receipt): Hex {
  return hashTypedData(receiptTypedData(chainId, escrow, receipt));
}

/** Whether the lease can be settled with this receipt at once: it covers the whole term of `slots`, or releases the lease. */
export function isFinal(receipt: Pick<Receipt, "epochs" | "release">, slots: number): boolean {
  return receipt.release || receipt.epochs * EPOCH_SECONDS === slots * SLOT_SECONDS;
}
