import { loadConfig, meshdSocket } from "../config.ts";
import { removeEverythingOfOurs, requireNoMeshd } from "../meshd/kernel/cleanup.ts";
import { EphemeshError } from "../model/errors.ts";
import { printJson, printTable } from "./table.ts";

interface CleanupOptions {
  readonly config: string;
  readonly json?: boolean;
  /** Also while meshd runs, and without a configuration. */
  readonly force?: boolean;
}

/**
 * Removes every object of ours from the kernel.
 * @throws EphemeshError NOT_ROOT; without `force` also MESHD_RUNNING, CONFIG_…
 */
export async function cleanup({ config, json, force }: CleanupOptions): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new EphemeshError(
      "NOT_ROOT",
      "`ephemesh cleanup` removes interfaces and routes, so it must run as root. Nothing was changed.",
      "Run it as root, in the network namespace of the region.",
    );
  if (!force) await requireNoMeshd(meshdSocket(loadConfig(config)));
  const removed = await removeEverythingOfOurs();
  if (json) return printJson(removed);
  printTable(
    ["object", "removed"],
    Object.entries(removed).map(([name, found]) => [name, Array.isArray(found) ? found.join(", ") || "none" : found]),
  );
  console.log("No object of ephemesh is left; no other object was touched.");
}
