/** Whether our nftables table stands. */
import { z } from "zod";
import { commandJson } from "../kernel/commands.ts";
import { NFT_TABLE } from "../kernel/marks.ts";

/** What nft says of itself comes first, also where there is no table: without it the answer is no answer. */
const tables = z.object({
  nftables: z.array(z.object({ table: z.object({ family: z.string(), name: z.string() }).optional() })).min(1),
});

export async function hasTable(): Promise<boolean> {
  const { nftables } = await commandJson("nft", ["-j", "list", "tables"], tables);
  return nftables.some(({ table }) => table?.family === "inet" && table.name === NFT_TABLE);
}
