import { leaseProof, unpackLease } from "../../auction/leases.ts";
import { leaseEscrowAbi } from "../../chain/abi/lease-escrow.ts";
import { unlessRefused } from "../../chain/refusals.ts";
import { isFinal } from "../../lease/receipt.ts";
import { EphemeshError } from "../../model/errors.ts";
import { leasesOf, type Mesh } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import { chainNow, type Site } from "../site.ts";
import { ownAvailableSeconds } from "./receipt.ts";

/** The other side may post its evidence in this time. */
const LOOK_AGAIN_SECONDS = 60;

/**
 * Settles by the last receipt that both signed. Without a complete one that receipt and this side's claim are posted;
 * both sides' claims settle at once, and the end of the window does without (REPUTATION.md, section 3).
 */
export async function settleLease(
  site: Site,
  mesh: Mesh,
  { leaseId }: Extract<Action, { kind: "settle-lease" }>,
): Promise<void> {
  const lease = leasesOf(mesh).find((l) => l.id === leaseId);
  const auction = mesh.auctions.find(({ leases }) => leases.some((l) => l.id === leaseId));
  if (!lease || !auction?.grant) return;
  const { terms, words } = auction.grant;
  const tuple = unpackLease(auction.terms.id, lease.index, words[lease.index]!, terms);
  const proof = leaseProof(words, terms, lease.index);
  const send = (purpose: string, functionName: string, args: readonly unknown[]) =>
    unlessRefused(
      site.sender.send(
        `${purpose}:${leaseId}`,
        { address: site.deployment.escrow, abi: leaseEscrowAbi, functionName, args },
        site.signal,
      ),
      "AlreadySettled",
    );

  const cosigned = mesh.receipts.get(lease.id);
  const evidence = await site.chain.evidence(lease.id);
  const complete = cosigned && isFinal(cosigned.receipt, terms.slots);
  if (cosigned && (complete || !evidence.receiptPosted || evidence.epochs < cosigned.receipt.epochs))
    // A release has another hash than a receipt for as many epochs.
    return send(`settle-${cosigned.receipt.epochs}${cosigned.receipt.release ? "-release" : ""}`, "settle", [
      tuple,
      proof,
      cosigned.receipt,
      cosigned.sellerSignature,
      cosigned.buyerSignature,
    ]);
  const isOpen = evidence.closesAtSeconds === 0 || chainNow(site) < evidence.closesAtSeconds;
  const claimed = lease.seller === site.self ? evidence.sellerClaimed : evidence.buyerClaimed;
  if (isOpen && !claimed)
    return send("claim", "claim", [
      tuple,
      proof,
      site.self,
      ownAvailableSeconds(site, lease, cosigned?.receipt ?? null),
    ]);
  if (isOpen)
    throw new EphemeshError(
      "SETTLEMENT_WINDOW",
      `Lease ${leaseId} settles when its window closes.`,
      "The agent settles it then.",
      { retryAfterSeconds: LOOK_AGAIN_SECONDS },
    );
  return send("settle-after-window", "settleAfterWindow", [tuple, proof]);
}
