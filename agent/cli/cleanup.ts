import { removeEverythingOfOurs } from "../meshd/kernel/cleanup.ts";
import { EphemeshError } from "../model/errors.ts";
import { printJson, printTable } from "./table.ts";

/** Removes every object of ours from the kernel. @throws EphemeshError NOT_ROOT */
export async function cleanup({ json }: { readonly json?: boolean }): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new EphemeshError(
      "NOT_ROOT",
      "`ephemesh cleanup` removes interfaces and routes, so it must run as root. Nothing was changed.",
      "Run it as root, in the network namespace of the region.",
    );
  const removed = await removeEverythingOfOurs();
  if (json) return printJson(removed);
  printTable(["object", "removed"], Object.entries(removed));
  console.log("No object of ephemesh is left; no other object was touched.");
}
