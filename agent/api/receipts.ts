/** The receipts that both sides signed, with the keys that check them. */
import type { GrantedLease } from "../auction/facts.ts";
import { leasesOf } from "../coordinator/mesh.ts";
import { regionOf, type Site } from "../coordinator/site.ts";
import { messageOf } from "../coordinator/world-store.ts";
import type { CosignedReceipt } from "../lease/receipt.ts";
import { cosignedOnWire } from "../lease/receipt-wire.ts";
import type { LeaseReceipts } from "./schemas.ts";

/** By lease, oldest receipt first; a lease without receipts is left out. @throws EphemeshError JOURNAL_CORRUPT */
export function receiptsView(site: Site): LeaseReceipts[] {
  const kept = new Map<string, CosignedReceipt[]>();
  for (const stored of site.journal.messagesOfType("ReceiptCosigned")) {
    const message = messageOf(stored);
    if (message.type !== "ReceiptCosigned") continue;
    const { leaseId } = message.cosigned.receipt;
    kept.set(leaseId, [...(kept.get(leaseId) ?? []), message.cosigned]);
  }
  return [...site.world().meshes.values()].flatMap((mesh) =>
    leasesOf(mesh)
      .filter(({ id }) => kept.has(id))
      .map((lease) => ({
        leaseId: lease.id,
        meshId: mesh.id ?? 0,
        chainId: site.deployment.chainId,
        escrow: site.deployment.escrow,
        ...parties(site, lease),
        mbps: lease.mbps,
        startSeconds: lease.startSeconds,
        endSeconds: lease.endSeconds,
        receipts: kept.get(lease.id)!.map(cosignedOnWire),
      })),
  );
}

function parties(site: Site, lease: GrantedLease): Pick<LeaseReceipts, "buyer" | "seller"> {
  const party = ({ name, agentKey }: ReturnType<typeof regionOf>) => ({ name, agentKey });
  return { buyer: party(regionOf(site, lease.buyer)), seller: party(regionOf(site, lease.seller)) };
}
