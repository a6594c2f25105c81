/**
 * One receipt an epoch: the buyer's agent sends its counts, the seller's answers with the receipt that both counts make
 * and its signature, the buyer's checks it, signs, and sends its signature back. Receipts are cumulative: the next one
 * replaces one that was lost. A side that signed a receipt for some epochs never signs another one for them.
 */
import { type Hex, recoverTypedDataAddress } from "viem";
import { z } from "zod";
import type { GrantedLease } from "../../auction/facts.ts";
import { availableSeconds, type Counts, combine, countsOf, disagreement } from "../../lease/metering.ts";
import { type CosignedReceipt, NO_RECEIPT, type Receipt, receiptHash, receiptTypedData } from "../../lease/receipt.ts";
import { requireLater, requireNext, requirePast, requireSound, type SignedBefore } from "../../lease/receipt-check.ts";
import { cosignedOnWire, cosignedReceipt, receiptOnWire, receiptToWire } from "../../lease/receipt-wire.ts";
import { EphemeshError } from "../../model/errors.ts";
import { chainSignature, leaseId as leaseIdSchema, type RegionId } from "../../model/ids.ts";
import { EPOCH_SECONDS } from "../../model/market.ts";
import { leasesOf, linkOfLease, type Mesh } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import { chainNow, regionOf, type Site } from "../site.ts";

const OBJECTED =
  "Nothing needs to be done once: receipts are cumulative, so the next one covers this epoch. If it repeats, compare the link in `ephemesh mesh` with the other region's operator.";

/** This long after its end an epoch without samples was not measured. */
const JUDGED_AT_LATEST_SECONDS = 5;

const natural = z.number().int().nonnegative();

const countsSchema = z.strictObject({
  available: natural,
  receivedPackets: natural,
  receivedBytes: natural,
  sentPackets: natural,
  sentBytes: natural,
  worstRttMicros: natural,
  worstLossPpm: natural,
});
export const receiptRequest = z.strictObject({
  leaseId: leaseIdSchema,
  epochs: natural,
  release: z.boolean(),
  counts: countsSchema,
  previous: cosignedReceipt.nullable(),
});
const receiptAnswer = z.strictObject({ receipt: receiptOnWire, signature: chainSignature });

export async function exchangeReceipt(
  site: Site,
  mesh: Mesh,
  { leaseId, epochs, release }: Extract<Action, { kind: "exchange-receipt" }>,
): Promise<void> {
  const lease = leaseOf(mesh, leaseId);
  const previous = mesh.receipts.get(leaseId) ?? null;
  const own = ownCounts(site, lease, epochs, previous?.receipt ?? null);
  const seller = regionOf(site, lease.seller);
  const request = { leaseId, epochs, release, counts: own, previous: previous && cosignedOnWire(previous) };
  const { receipt, signature: sellerSignature } = receiptAnswer.parse(
    await site.control.ask(seller, "receipt", request, { subject: leaseId as Hex }),
  );
  if (receipt.epochs !== epochs || receipt.release !== release)
    throw new EphemeshError(
      "RECEIPT_OTHER",
      `Region ${lease.seller} answered with another receipt than was asked for. It was not signed.`,
      "Nothing needs to be done: receipts are cumulative, so the next one covers this epoch.",
    );
  requireNext(receipt, lease, chainNow(site), signedBefore(site, previous));
  await verify(site, receipt, sellerSignature, seller.agentKey, lease.seller);
  const objection = disagreement(receipt, own, "buyer");
  if (objection)
    throw new EphemeshError(
      "RECEIPT_DISPUTED",
      `The receipt of region ${lease.seller} has ${objection}. It was not signed.`,
      OBJECTED,
    );
  const cosigned: CosignedReceipt = { receipt, sellerSignature, buyerSignature: await sign(site, receipt) };
  site.dispatch({ type: "ReceiptCosigned", meshId: mesh.id!, cosigned });
  // If this is lost, the seller gets it with the next request, or reads it from the chain.
  await site.control
    .ask(seller, "receipt-cosigned", cosignedOnWire(cosigned), { subject: leaseId as Hex })
    .catch((error: unknown) => {
      site.log.debug({ leaseId, err: error }, "the seller has not got the co-signed receipt yet");
    });
}

/** The seller's side. @throws EphemeshError RECEIPT_UNKNOWN_LEASE, RECEIPT_FUTURE, RECEIPT_BACKWARDS, RECEIPT_IMPOSSIBLE, RECEIPT_DISPUTED, RECEIPT_CONFLICT, RECEIPT_SIGNATURE */
export async function answerReceipt(site: Site, from: RegionId, body: unknown): Promise<unknown> {
  const request = receiptRequest.parse(body);
  const { mesh, lease } = findLease(site, request.leaseId, from, "buyer");
  if (request.previous) await adopt(site, mesh, lease, request.previous);
  const before = signedBefore(site, site.world().meshes.get(mesh.key)?.receipts.get(lease.id) ?? null);
  requirePast(request.epochs, lease, chainNow(site));
  requireLater(request, before);
  const again = mesh.signed.get(lease.id);
  if (again && again.epochs === request.epochs && again.release === request.release)
    return { receipt: receiptToWire(again), signature: await sign(site, again) };
  const own = ownCounts(site, lease, request.epochs, before?.receipt ?? null);
  const receipt = combine(
    {
      leaseId: lease.id,
      epochs: request.epochs,
      release: request.release,
      previous: before?.hash ?? NO_RECEIPT,
    },
    request.counts,
    own,
  );
  requireNext(receipt, lease, chainNow(site), before);
  const objection = disagreement(receipt, own, "seller");
  if (objection)
    throw new EphemeshError(
      "RECEIPT_DISPUTED",
      `With the counts of region ${from} the receipt would have ${objection}. Nothing was signed.`,
      OBJECTED,
    );
  site.dispatch({ type: "ReceiptSigned", meshId: mesh.id!, receipt });
  return { receipt: receiptToWire(receipt), signature: await sign(site, receipt) };
}

/** Keeps a receipt that the buyer has co-signed. @throws EphemeshError RECEIPT_UNKNOWN_LEASE, RECEIPT_SIGNATURE, RECEIPT_CONFLICT, those of `requireSound` */
export async function acceptCosigned(site: Site, from: RegionId, body: unknown): Promise<unknown> {
  const cosigned = cosignedReceipt.parse(body);
  const { mesh, lease } = findLease(site, cosigned.receipt.leaseId, from, "buyer");
  await adopt(site, mesh, lease, cosigned);
  return {};
}

/** Takes over a receipt that both signed, if it is later than what is known here. */
async function adopt(site: Site, mesh: Mesh, lease: GrantedLease, cosigned: CosignedReceipt): Promise<void> {
  const known = mesh.receipts.get(lease.id)?.receipt;
  const { receipt } = cosigned;
  requireSound(receipt, lease, chainNow(site));
  const conflict =
    known?.epochs === receipt.epochs &&
    known.release === receipt.release &&
    hashOf(site, known) !== hashOf(site, receipt);
  if (
    !conflict &&
    known &&
    (known.release || receipt.epochs < known.epochs || (receipt.epochs === known.epochs && !receipt.release))
  )
    return;
  await verify(site, receipt, cosigned.buyerSignature, regionOf(site, lease.buyer).agentKey, lease.buyer);
  await verify(site, receipt, cosigned.sellerSignature, regionOf(site, lease.seller).agentKey, lease.seller);
  if (conflict)
    throw new EphemeshError(
      "RECEIPT_CONFLICT",
      `Both keys have signed two receipts for ${receipt.epochs} epochs of lease ${lease.id}. The first is kept.`,
      "This agent signs one at most: its key is in use elsewhere. Replace the agent key; on chain the receipt with fewer seconds counts.",
    );
  site.dispatch({ type: "ReceiptCosigned", meshId: mesh.id!, cosigned });
}

/** What this side counted for the epochs up to `epochs`, on top of what both signed before. */
function ownCounts(site: Site, lease: GrantedLease, epochs: number, previous: Receipt | null): Counts {
  const link = site.counters().get(linkOfLease(lease.id));
  const buys = lease.buyer === site.self;
  const before = previous ?? { epochs: 0, available: 0 };
  const { receivedPackets, receivedBytes, sentPackets, sentBytes } = countsOf(previous, buys ? "buyer" : "seller");
  const samples = link?.epochs ?? [];
  if (
    link &&
    epochs > 0 &&
    !samples.some(({ epoch }) => epoch === epochs - 1) &&
    chainNow(site) < lease.startSeconds + epochs * EPOCH_SECONDS + JUDGED_AT_LATEST_SECONDS
  )
    throw new EphemeshError(
      "EPOCH_NOT_JUDGED",
      `Epoch ${epochs - 1} is over, but its last probes may still come back.`,
      "It is asked for again in a moment.",
      { retryable: true },
    );
  const since = samples.filter(({ epoch }) => epoch >= before.epochs && epoch < epochs);
  return {
    available: before.available + availableSeconds(samples, before.epochs, epochs),
    // What was signed is never taken back, whatever an interface shows.
    receivedPackets: Math.max(receivedPackets, link?.receivedPackets ?? 0),
    receivedBytes: Math.max(receivedBytes, link?.receivedBytes ?? 0),
    sentPackets: Math.max(sentPackets, link?.sentPackets ?? 0),
    sentBytes: Math.max(sentBytes, link?.sentBytes ?? 0),
    worstRttMicros: Math.max(previous?.worstRttMicros ?? 0, ...since.map((s) => s.worstRttMicros)),
    worstLossPpm: Math.max(previous?.worstLossPpm ?? 0, ...since.map((s) => s.worstLossPpm)),
  };
}

/** Seconds of the whole lease that this side saw available: what both signed, and what was measured here since. */
export function ownAvailableSeconds(site: Site, lease: GrantedLease, signed: Receipt | null): number {
  const samples = site.counters().get(linkOfLease(lease.id))?.epochs ?? [];
  const last = Math.floor((lease.endSeconds - lease.startSeconds) / EPOCH_SECONDS);
  return (signed?.available ?? 0) + availableSeconds(samples, signed?.epochs ?? 0, last);
}

function findLease(
  site: Site,
  id: string,
  from: RegionId,
  role: "buyer" | "seller",
): { mesh: Mesh; lease: GrantedLease } {
  for (const mesh of site.world().meshes.values())
    for (const lease of leasesOf(mesh)) {
      const other = role === "buyer" ? lease.buyer : lease.seller;
      const own = role === "buyer" ? lease.seller : lease.buyer;
      if (lease.id === id && other === from && own === site.self) return { mesh, lease };
    }
  throw new EphemeshError(
    "RECEIPT_UNKNOWN_LEASE",
    `Region ${site.self} knows no lease ${id} with region ${from} as its ${role}. Nothing was signed.`,
    "Ask again when both agents have read the block that granted the lease; `ephemesh leases` lists the known ones.",
  );
}

function leaseOf(mesh: Mesh, id: string): GrantedLease {
  const lease = leasesOf(mesh).find((l) => l.id === id);
  if (!lease)
    throw new EphemeshError(
      "UNKNOWN_LEASE",
      `Lease ${id} is not part of ${mesh.key}.`,
      "Nothing needs to be done: a reorganisation of the chain took it back, and the agent follows the chain.",
    );
  return lease;
}

function sign(site: Site, receipt: Receipt): Promise<Hex> {
  return site.key.signTypedData(receiptTypedData(site.deployment.chainId, site.deployment.escrow, receipt));
}

async function verify(site: Site, receipt: Receipt, signed: Hex, key: Hex, region: RegionId): Promise<void> {
  const signer = await recoverTypedDataAddress({
    ...receiptTypedData(site.deployment.chainId, site.deployment.escrow, receipt),
    signature: signed,
  }).catch(() => null);
  if (signer?.toLowerCase() !== key.toLowerCase())
    throw new EphemeshError(
      "RECEIPT_SIGNATURE",
      `The receipt is not signed by the agent key of region ${region}. It was not kept.`,
      `Ask the operator of region ${region} to run its agent with the registered key; \`ephemesh doctor\` there checks it.`,
    );
}

function signedBefore(site: Site, cosigned: CosignedReceipt | null): SignedBefore | null {
  return cosigned && { receipt: cosigned.receipt, hash: hashOf(site, cosigned.receipt) };
}

function hashOf(site: Site, receipt: Receipt): Hex {
  return receiptHash(site.deployment.chainId, site.deployment.escrow, receipt);
}
