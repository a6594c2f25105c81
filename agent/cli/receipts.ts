/** `ephemesh receipts`: lists the signed receipts and checks their signatures and the chain of their hashes. */
import type { Hex } from "viem";
import type { LeaseReceipts } from "../api/schemas.ts";
import { checkReceiptChain } from "../lease/receipt-chain.ts";
import { cosignedReceipt } from "../lease/receipt-wire.ts";
import { askAgent } from "./api-client.ts";
import { printJson, printLine, printTable } from "./table.ts";

/** Whether every receipt is valid. */
export async function showReceipts(options: { readonly config: string; readonly json?: boolean }): Promise<boolean> {
  const leases = await askAgent<LeaseReceipts[]>(options.config, "/v1/receipts");
  const checked = await Promise.all(
    leases.map(async (lease) => {
      const receipts = lease.receipts.map((kept) => cosignedReceipt.parse(kept));
      const found = await checkReceiptChain(receipts, {
        ...{ chainId: lease.chainId, escrow: lease.escrow as Hex, leaseId: lease.leaseId as Hex },
        ...{ buyerKey: lease.buyer.agentKey as Hex, sellerKey: lease.seller.agentKey as Hex },
      });
      return {
        ...lease,
        receipts: lease.receipts.map((kept, i) => ({ ...(kept as object), ...found[i]! })),
        parsed: receipts,
        found,
      };
    }),
  );
  const valid = checked.every(({ found }) => found.every(({ problems }) => problems.length === 0));
  if (options.json) {
    printJson({ valid, leases: checked.map(({ parsed: _, found: __, ...lease }) => lease) });
    return valid;
  }
  for (const { leaseId, buyer, seller, mbps, parsed, found } of checked) {
    printLine(`lease ${leaseId}: ${seller.name} to ${buyer.name}, ${mbps} Mbit/s`);
    printTable(
      ["epochs", "available s", "bytes to buyer", "bytes to seller", "worst round trip ms", "release", "hash", "valid"],
      parsed.map(({ receipt }, i) => [
        receipt.epochs,
        receipt.available,
        receipt.bytesToBuyer.toString(),
        receipt.bytesToSeller.toString(),
        (receipt.worstRttMicros / 1000).toFixed(1),
        receipt.release ? "yes" : "no",
        found[i]!.hash.slice(0, 10),
        found[i]!.problems.length === 0 ? "yes" : `NO: ${found[i]!.problems.join("; ")}`,
      ]),
    );
  }
  if (checked.length === 0) printLine("No receipt was signed yet.");
  return valid;
}
