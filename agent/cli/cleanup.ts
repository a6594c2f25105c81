import { loadConfig, meshdSocket } from "../config.ts";
import { removeEverythingOfOurs, requireNoMeshd } from "../meshd/kernel/cleanup.ts";
import { isListening } from "../meshd/kernel/listening.ts";
import { EphemeshError } from "../model/errors.ts";
import { printJson, printTable } from "./table.ts";

interface CleanupOptions {
  readonly config: string;
  readonly json?: boolean;
  /** Also while meshd runs, and without a configuration. */
  readonly force?: boolean;
}

/**
 * Removes every object of ours from the kernel. With `force` it only warns of a meshd that runs.
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
  const running = force ? await runningMeshd(config) : null;
  if (running !== null)
    console.error(
      `Warning: a meshd listens on ${running}. Its interfaces, rules and routes are removed while it runs: traffic moves to the standing peering, meshd sets its links up again, except those whose keys it does not hold since a restart.`,
    );
  const removed = await removeEverythingOfOurs();
  if (json) return printJson(removed);
  printTable(
    ["object", "removed"],
    Object.entries(removed).map(([name, found]) => [name, Array.isArray(found) ? found.join(", ") || "none" : found]),
  );
  console.log(
    running === null
      ? "No object of ephemesh is left; no other object was touched."
      : "Every object of ephemesh that was found is removed; meshd runs and makes objects again. No other object was touched.",
  );
}

/** The socket of a meshd that answers; null: none does, or no configuration names its socket. */
async function runningMeshd(configFile: string): Promise<string | null> {
  let socket: string;
  try {
    socket = meshdSocket(loadConfig(configFile));
  } catch {
    return null;
  }
  return (await isListening(socket)) ? socket : null;
}
