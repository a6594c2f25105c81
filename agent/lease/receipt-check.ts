/** Refuses receipts that cannot be true: of another lease, from the future, going back, or above what the lease can carry. Pure. */
import type { Hex } from "viem";
import { EphemeshError } from "../model/errors.ts";
import { EPOCH_SECONDS } from "../model/market.ts";
import { BYTES_SLACK, BYTES_TOLERANCE } from "./metering.ts";
import { NO_RECEIPT, type Receipt } from "./receipt.ts";

/** The terms of a lease that a receipt is checked against; times are Unix seconds. */
export interface MeteredLease {
  readonly id: Hex;
  readonly mbps: number;
  readonly startSeconds: number;
  readonly endSeconds: number;
}

/** The last receipt that both sides signed, and its hash. */
export interface SignedBefore {
  readonly receipt: Receipt;
  readonly hash: Hex;
}

/** How far two honest clocks may differ. */
const CLOCK_TOLERANCE_SECONDS = 2;
const BYTES_PER_MBIT = 125_000;
const CUMULATIVE = ["available", "packetsToBuyer", "bytesToBuyer", "packetsToSeller", "bytesToSeller"] as const;

/** Checks a receipt before it is signed. @throws EphemeshError RECEIPT_OTHER_LEASE, RECEIPT_FUTURE, RECEIPT_BACKWARDS, RECEIPT_CHAIN, RECEIPT_IMPOSSIBLE */
export function requireNext(
  receipt: Receipt,
  lease: MeteredLease,
  nowSeconds: number,
  before: SignedBefore | null,
): void {
  requireSound(receipt, lease, nowSeconds);
  requireLater(receipt, before);
  if (receipt.previous !== (before?.hash ?? NO_RECEIPT))
    throw refusal("RECEIPT_CHAIN", "The receipt does not follow the last co-signed one.");
  const since = before?.receipt;
  const lower = since && CUMULATIVE.find((figure) => receipt[figure] < since[figure]);
  if (lower)
    throw refusal(
      "RECEIPT_BACKWARDS",
      `The receipt lowers ${lower} from ${since[lower]}, which both signed, to ${receipt[lower]}.`,
    );
  const epochs = receipt.epochs - (since?.epochs ?? 0);
  const available = receipt.available - (since?.available ?? 0);
  if (available > epochs * EPOCH_SECONDS)
    throw refusal(
      "RECEIPT_IMPOSSIBLE",
      `The receipt adds ${available} available seconds in ${epochs} epochs of ${EPOCH_SECONDS} s.`,
    );
}

/** @throws EphemeshError RECEIPT_BACKWARDS if the receipt is not later than the last co-signed one. */
export function requireLater(
  { epochs, release }: Pick<Receipt, "epochs" | "release">,
  before: SignedBefore | null,
): void {
  const known = before?.receipt;
  if (known && (known.release || epochs < known.epochs || (epochs === known.epochs && !release)))
    throw refusal(
      "RECEIPT_BACKWARDS",
      `Both have already signed a receipt for ${known.epochs} epochs.`,
      "Ask for a later epoch.",
    );
}

/** Checks a receipt without regard to earlier ones. @throws EphemeshError RECEIPT_OTHER_LEASE, RECEIPT_FUTURE, RECEIPT_IMPOSSIBLE */
export function requireSound(receipt: Receipt, lease: MeteredLease, nowSeconds: number): void {
  if (receipt.leaseId !== lease.id) throw refusal("RECEIPT_OTHER_LEASE", "The receipt is for another lease.");
  requirePast(receipt.epochs, lease, nowSeconds);
  const seconds = receipt.epochs * EPOCH_SECONDS;
  if (receipt.available > seconds)
    throw refusal("RECEIPT_IMPOSSIBLE", `The receipt claims ${receipt.available} available seconds of ${seconds}.`);
  const maxBytes = Math.ceil(lease.mbps * BYTES_PER_MBIT * seconds * (1 + BYTES_TOLERANCE)) + BYTES_SLACK;
  const bytes = [receipt.bytesToBuyer, receipt.bytesToSeller].find((counted) => counted > BigInt(maxBytes));
  if (bytes !== undefined)
    throw refusal(
      "RECEIPT_IMPOSSIBLE",
      `The receipt claims ${bytes} bytes one way; ${lease.mbps} Mbit/s carry at most ${maxBytes} in ${seconds} s.`,
    );
}

/** @throws EphemeshError RECEIPT_FUTURE, retryable, if the epochs are not over yet. */
export function requirePast(epochs: number, lease: MeteredLease, nowSeconds: number): void {
  const term = lease.endSeconds - lease.startSeconds;
  if (epochs * EPOCH_SECONDS > Math.min(term, nowSeconds - lease.startSeconds + CLOCK_TOLERANCE_SECONDS))
    throw new EphemeshError(
      "RECEIPT_FUTURE",
      `The receipt covers ${epochs} epochs, which are not over yet. Nothing was signed.`,
      "Ask again when the last epoch is over. If it is, the chain clocks of the two agents differ: compare the block that `ephemesh status` shows on both sides.",
      { retryable: true },
    );
}

function refusal(
  code: string,
  what: string,
  remedy = "Nothing needs to be done: receipts are cumulative, so the next one covers this epoch.",
): EphemeshError {
  return new EphemeshError(code, `${what} Nothing was signed.`, remedy);
}
