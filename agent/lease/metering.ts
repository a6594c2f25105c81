/** Combines the counts of both sides into a receipt, and checks a receipt against one side's counts (REPUTATION.md, section 3). Pure. */
import { EPOCH_SECONDS } from "../model/market.ts";
import type { Receipt } from "./receipt.ts";
import { type LinkCounts, NOTHING_COUNTED } from "./running-counts.ts";

/** What one side measured since the lease's start. */
export interface Counts {
  /** Seconds since the lease's start in which the link met its bounds: whole epochs of 10 s. */
  readonly available: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly worstRttMicros: number;
  readonly worstLossPpm: number;
}

/** Probes of one epoch of 10 s, and how many of them met the bounds. */
export interface EpochSamples {
  readonly epoch: number;
  readonly probes: number;
  readonly met: number;
}

/** The two sides count packets before and after segmentation offload, so honest byte counts differ by some per cent. */
export const BYTES_TOLERANCE = 0.05;
export const BYTES_SLACK = 1_000_000;

/** Seconds of the epochs from `from` up to, but not including, `to` in which at least 90 % of the probes met the bounds. */
export function availableSeconds(samples: readonly EpochSamples[], from: number, to: number): number {
  return (
    samples.filter(({ epoch, probes, met }) => epoch >= from && epoch < to && probes > 0 && met * 10 >= probes * 9)
      .length * EPOCH_SECONDS
  );
}

/** The smaller of both availabilities, packets and bytes as the receiver counted them, the worse RTT and loss. */
export function combine(
  lease: Pick<Receipt, "leaseId" | "epochs" | "release" | "previous">,
  buyer: Counts,
  seller: Counts,
): Receipt {
  return {
    leaseId: lease.leaseId,
    epochs: lease.epochs,
    available: Math.min(buyer.available, seller.available, lease.epochs * EPOCH_SECONDS),
    packetsToBuyer: BigInt(buyer.receivedPackets),
    bytesToBuyer: BigInt(buyer.receivedBytes),
    packetsToSeller: BigInt(seller.receivedPackets),
    bytesToSeller: BigInt(seller.receivedBytes),
    worstRttMicros: Math.max(buyer.worstRttMicros, seller.worstRttMicros),
    worstLossPpm: Math.max(buyer.worstLossPpm, seller.worstLossPpm),
    release: lease.release,
    previous: lease.previous,
  };
}

/** The counts of one side in the last co-signed receipt. */
export function countsOf(signed: Receipt | null, role: "buyer" | "seller"): LinkCounts {
  if (!signed) return NOTHING_COUNTED;
  const toBuyer = { packets: Number(signed.packetsToBuyer), bytes: Number(signed.bytesToBuyer) };
  const toSeller = { packets: Number(signed.packetsToSeller), bytes: Number(signed.bytesToSeller) };
  const [received, sent] = role === "buyer" ? [toBuyer, toSeller] : [toSeller, toBuyer];
  return {
    receivedPackets: received.packets,
    receivedBytes: received.bytes,
    sentPackets: sent.packets,
    sentBytes: sent.bytes,
  };
}

/** The reason why a region with these counts must not sign the receipt; null if they agree. */
export function disagreement(receipt: Receipt, own: Counts, role: "buyer" | "seller"): string | null {
  if (Math.abs(receipt.available - own.available) > EPOCH_SECONDS)
    return `${receipt.available} available seconds; this region measured ${own.available}`;
  const [received, sent] =
    role === "buyer" ? [receipt.bytesToBuyer, receipt.bytesToSeller] : [receipt.bytesToSeller, receipt.bytesToBuyer];
  if (Number(received) > own.receivedBytes * (1 + BYTES_TOLERANCE) + BYTES_SLACK)
    return `${received} bytes received by this region, which counted ${own.receivedBytes}`;
  if (Number(sent) > own.sentBytes * (1 + BYTES_TOLERANCE) + BYTES_SLACK)
    return `${sent} bytes sent by this region, which counted ${own.sentBytes}`;
  return null;
}
