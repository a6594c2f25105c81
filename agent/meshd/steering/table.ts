/** Our nftables table in the kernel. */
import { z } from "zod";
import { commandJson } from "../kernel/commands.ts";
import { NFT_TABLE } from "../kernel/marks.ts";

/** nft prints its version first, even if there is no table: an answer without any element is invalid. */
const tables = z.object({
  nftables: z.array(z.object({ table: z.object({ family: z.string(), name: z.string() }).optional() })).min(1),
});

/** Whether our nftables table exists. @throws EphemeshError what `command` throws */
export async function hasTable(): Promise<boolean> {
  const { nftables } = await commandJson("nft", ["-j", "list", "tables"], tables);
  return nftables.some(({ table }) => table?.family === "inet" && table.name === NFT_TABLE);
}
