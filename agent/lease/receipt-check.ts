/** What no receipt may say, whoever signed it: of another lease, from the future, backwards, or more than the term could carry. Pure. */
import type { Hex } from "viem";
import { EphemeshError } from "../model/errors.ts";
import { EPOCH_SECONDS } from "../model/market.ts";
import { BYTES_SLACK, BYTES_TOLERANCE } from "./metering.ts";
import { NO_RECEIPT, type Receipt } from "./receipt.ts";

export interface MeteredLease {
  readonly id: Hex;
  readonly mbps: number;
  readonly startSeconds: number;
  readonly endSeconds: number;
}

/** What both signed last, and its hash. */
export interface SignedBefore {
  readonly receipt: Receipt;
  readonly hash: Hex;
}

/** Two honest clocks of the chain's time differ by so much. */
const CLOCK_SECONDS = 2;
const BYTES_PER_MBIT = 125_000;
const CUMULATIVE = ["available", "packetsToBuyer", "bytesToBuyer", "packetsToSeller", "bytesToSeller"] as const;

/** A receipt to be signed. @throws EphemeshError RECEIPT_OTHER_LEASE, RECEIPT_FUTURE, RECEIPT_BACKWARDS, RECEIPT_CHAIN, RECEIPT_IMPOSSIBLE */
export function requireNext(
  receipt: Receipt,
  lease: MeteredLease,
  nowSeconds: number,
  before: SignedBefore | null,
): void {
  requireSound(receipt, lease, nowSeconds);
  requireLater(receipt, before);
  if (receipt.previous !== (before?.hash ?? NO_RECEIPT))
    throw refusal("RECEIPT_CHAIN", "The receipt does not follow the last one that both signed.");
  const since = before?.receipt;
  const lower = since && CUMULATIVE.find((figure) => receipt[figure] < since[figure]);
  if (lower)
    throw refusal(
      "RECEIPT_BACKWARDS",
      `The receipt says ${lower} ${receipt[lower]}, after ${since[lower]} was signed.`,
    );
  const epochs = receipt.epochs - (since?.epochs ?? 0);
  const available = receipt.available - (since?.available ?? 0);
  if (available > epochs * EPOCH_SECONDS)
    throw refusal("RECEIPT_IMPOSSIBLE", `The receipt adds ${available} s available in ${epochs} epochs.`);
}

/** Whether it is later than what both signed. @throws EphemeshError RECEIPT_BACKWARDS */
export function requireLater(
  { epochs, release }: Pick<Receipt, "epochs" | "release">,
  before: SignedBefore | null,
): void {
  const known = before?.receipt;
  if (known && (known.release || epochs < known.epochs || (epochs === known.epochs && !release)))
    throw refusal("RECEIPT_BACKWARDS", `Both signed for ${known.epochs} epochs already.`, "Ask for a later epoch.");
}

/** A receipt that two keys may have signed. @throws EphemeshError RECEIPT_OTHER_LEASE, RECEIPT_FUTURE, RECEIPT_IMPOSSIBLE */
export function requireSound(receipt: Receipt, lease: MeteredLease, nowSeconds: number): void {
  if (receipt.leaseId !== lease.id) throw refusal("RECEIPT_OTHER_LEASE", "The receipt is of another lease.");
  requirePast(receipt.epochs, lease, nowSeconds);
  const seconds = receipt.epochs * EPOCH_SECONDS;
  if (receipt.available > seconds)
    throw refusal("RECEIPT_IMPOSSIBLE", `The receipt says ${receipt.available} s available of ${seconds} s.`);
  const most = Math.ceil(lease.mbps * BYTES_PER_MBIT * seconds * (1 + BYTES_TOLERANCE)) + BYTES_SLACK;
  const bytes = [receipt.bytesToBuyer, receipt.bytesToSeller].find((counted) => counted > BigInt(most));
  if (bytes !== undefined)
    throw refusal(
      "RECEIPT_IMPOSSIBLE",
      `The receipt says ${bytes} bytes one way; ${lease.mbps} Mbit/s carry ${most} at most in ${seconds} s.`,
    );
}

/** @throws EphemeshError RECEIPT_FUTURE, which passes with time. */
export function requirePast(epochs: number, lease: MeteredLease, nowSeconds: number): void {
  const term = lease.endSeconds - lease.startSeconds;
  if (epochs * EPOCH_SECONDS > Math.min(term, nowSeconds - lease.startSeconds + CLOCK_SECONDS))
    throw new EphemeshError(
      "RECEIPT_FUTURE",
      `${epochs} epochs are more than has passed of the lease. Nothing was signed.`,
      "Ask when the epoch is over; if it is, one of the two clocks is wrong (`ephemesh doctor`).",
      { retryable: true },
    );
}

function refusal(
  code: string,
  what: string,
  remedy = "The next epoch's receipt is cumulative and heals the gap.",
): EphemeshError {
  return new EphemeshError(code, `${what} Nothing was signed.`, remedy);
}
