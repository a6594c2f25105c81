import { removeEverythingOfOurs } from "../meshd/kernel/cleanup.ts";
import { EphemeshError } from "../model/errors.ts";
import { printJson } from "./table.ts";

/** @throws EphemeshError NOT_ROOT */
export async function cleanup({ json }: { readonly json?: boolean }): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new EphemeshError(
      "NOT_ROOT",
      "Interfaces and routes can be removed by root alone. Nothing was changed.",
      "Run it as root, in the network namespace of the region.",
    );
  const removed = await removeEverythingOfOurs();
  if (json) return printJson(removed);
  console.log(`removed ${JSON.stringify(removed)}; nothing of ours is left, nothing of others' was touched`);
}
