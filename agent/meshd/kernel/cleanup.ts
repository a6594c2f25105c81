/**
 * Removes what is ours by its marks alone, knowing nothing of what was wanted: after a crash, at the supervisor's
 * dead-man's switch, for `ephemesh cleanup`. Runs in the network namespace that it is to clean.
 */

import { EphemeshError } from "../../model/errors.ts";
import { ourDevices } from "../eni/found.ts";
import { removeStaleSockets, removeTunnel } from "../eni/tunnel-device.ts";
import { type KernelObjects, readKernelObjects } from "../steering/kernel-objects.ts";
import { hasTable } from "../steering/table.ts";
import { command } from "./commands.ts";
import { isListening } from "./listening.ts";
import { NFT_TABLE, PROTOCOL, RULE } from "./marks.ts";

export interface Removed {
  readonly devices: readonly string[];
  readonly rules: number;
  readonly routes: number;
  readonly nextHops: number;
  readonly nftTables: readonly string[];
  readonly sockets: readonly string[];
}

/**
 * Before everything is removed by hand: a meshd that runs would lose its tunnels.
 * @param socketPath meshd's Unix socket
 * @throws EphemeshError MESHD_RUNNING
 */
export async function requireNoMeshd(socketPath: string): Promise<void> {
  if (!(await isListening(socketPath))) return;
  throw new EphemeshError(
    "MESHD_RUNNING",
    `A meshd listens on ${socketPath}. Nothing was removed.`,
    "Stop it first (`ephemesh up` then cleans up by itself). `ephemesh cleanup --force` removes its interfaces, rules and routes while it runs: traffic moves to the standing peering, links of a restarted meshd are lost, and it sets up the others again.",
  );
}

/**
 * Traffic goes by the standing peering from here on. Tunnels and what keeps them apart stay, to be adopted.
 * @throws EphemeshError STILL_THERE (retryable), and what a tool that fails says
 */
export async function removeSteering(): Promise<void> {
  const steering = (rules: ReadonlySet<string>): Set<string> =>
    new Set([...rules].filter((rule) => rule.startsWith(`pref ${RULE.steer} `)));
  const objects = await readKernelObjects();
  await Promise.all([
    deleteRules("-4", steering(objects.rules4)),
    deleteRules("-6", steering(objects.rules6)),
    // The guard at the interfaces stays as long as they do; only the marking of the hosts' packets ends.
    command("nft", ["flush", "chain", "inet", NFT_TABLE, "steer"]).catch(() => {}),
  ]);
  await deleteNextHops(objects);
  const left = await readKernelObjects();
  mustBeGone(steering(left.rules4).size + steering(left.rules6).size + left.nextHops.size);
}

/** The batches go on after a line that fails, so that one says nothing: what is left does. */
function mustBeGone(left: number): void {
  if (left === 0) return;
  throw new EphemeshError(
    "STILL_THERE",
    `${left} rules, routes or next-hop objects of ours are still in the kernel: the command ip did not remove them.`,
    "Run `ephemesh cleanup`; if it says the same, see what `ip rule` and `ip nexthop` say by hand.",
    { retryable: true },
  );
}

/**
 * Everything, the tunnels too. Repeats itself without harm.
 * @throws EphemeshError STILL_THERE (retryable), and what a tool that fails says
 */
export async function removeEverythingOfOurs(): Promise<Removed> {
  const objects = await readKernelObjects();
  await Promise.all([deleteRules("-4", objects.rules4), deleteRules("-6", objects.rules6)]);
  await deleteNextHops(objects);
  await deleteRoutes();
  const devices = await ourDevices();
  for (const device of devices) await removeTunnel(device);
  const nftTables = await deleteTable();
  const left = await readKernelObjects();
  mustBeGone(left.rules4.size + left.rules6.size + left.routes.size + left.nextHops.size);
  return {
    devices,
    rules: objects.rules4.size + objects.rules6.size,
    routes: objects.routes.size,
    nextHops: objects.nextHops.size,
    nftTables,
    sockets: await removeStaleSockets(),
  };
}

async function deleteRules(family: "-4" | "-6", rules: ReadonlySet<string>): Promise<void> {
  await batch(
    family,
    [...rules].sort().map((rule) => `rule del ${rule} protocol ${PROTOCOL}`),
  );
}

/** Takes the routes over them away as well. */
async function deleteNextHops(objects: KernelObjects): Promise<void> {
  await batch(
    "-4",
    [...objects.nextHops.keys()].map((id) => `nexthop del id ${id}`),
  );
}

async function deleteRoutes(): Promise<void> {
  const { routes } = await readKernelObjects();
  const of = (sixes: boolean): string[] =>
    [...routes]
      .filter((route) => (route.replace(/^(unreachable|throw) /, "").split(" ")[0] ?? "").includes(":") === sixes)
      .map((route) => `route del ${route} protocol ${PROTOCOL}`);
  await Promise.all([batch("-4", of(false)), batch("-6", of(true))]);
}

async function deleteTable(): Promise<readonly string[]> {
  if (!(await hasTable())) return [];
  await command("nft", ["delete", "table", "inet", NFT_TABLE]);
  return [`inet ${NFT_TABLE}`];
}

/** Goes on after a line that fails: what it names may have gone with something else. */
async function batch(family: "-4" | "-6", lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  await command("ip", [family, "-force", "-batch", "-"], { input: `${lines.join("\n")}\n` }).catch(() => {});
}
