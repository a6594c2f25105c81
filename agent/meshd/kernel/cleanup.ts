/**
 * Removes meshd's objects, recognised by their marks alone: after a crash, by the supervisor when meshd dies, and for
 * `ephemesh cleanup`. Runs in the network namespace to clean.
 */

import { isIpv6 } from "../../model/address.ts";
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
 * To be called before everything is removed by hand: a running meshd would lose its tunnels.
 * @param socketPath meshd's Unix socket
 * @throws EphemeshError MESHD_RUNNING
 */
export async function requireNoMeshd(socketPath: string): Promise<void> {
  if (!(await isListening(socketPath))) return;
  throw new EphemeshError(
    "MESHD_RUNNING",
    `A meshd listens on ${socketPath}. Nothing was removed.`,
    "Stop it first (`ephemesh up` then cleans up by itself). `ephemesh cleanup --force` removes its interfaces, rules and routes while it runs: traffic moves to the standing peering, meshd sets its links up again, except those whose keys it does not hold since a restart.",
  );
}

/**
 * Afterwards traffic uses the standing peering. Tunnels and the rules that guard them stay, to be adopted.
 * @throws EphemeshError STILL_THERE (retryable), and what `command` throws
 */
export async function removeSteering(): Promise<void> {
  const steering = (rules: ReadonlySet<string>): Set<string> =>
    new Set([...rules].filter((rule) => rule.startsWith(`pref ${RULE.steer} `)));
  const objects = await readKernelObjects();
  await Promise.all([
    deleteRules("-4", steering(objects.rules4)),
    deleteRules("-6", steering(objects.rules6)),
    // The guard stays as long as the interfaces; only marking packets of hosts ends.
    command("nft", ["flush", "chain", "inet", NFT_TABLE, "steer"]).catch(() => {}),
  ]);
  await deleteNextHops(objects);
  const left = await readKernelObjects();
  requireGone(steering(left.rules4).size + steering(left.rules6).size + left.nextHops.size);
}

/** Batches continue after a line that fails, so the result is checked instead. */
function requireGone(left: number): void {
  if (left === 0) return;
  throw new EphemeshError(
    "STILL_THERE",
    `${left} rules, routes or next-hop objects of ours are still in the kernel: the command ip did not remove them.`,
    "Run `ephemesh cleanup`; if it fails too, check `ip rule` and `ip nexthop` by hand.",
    { retryable: true },
  );
}

/**
 * Removes everything, also tunnels. Idempotent.
 * @throws EphemeshError STILL_THERE (retryable), and what `command` throws
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
  requireGone(left.rules4.size + left.rules6.size + left.routes.size + left.nextHops.size);
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

/** Deletes the routes over them too. */
async function deleteNextHops(objects: KernelObjects): Promise<void> {
  await batch(
    "-4",
    [...objects.nextHops.keys()].map((id) => `nexthop del id ${id}`),
  );
}

async function deleteRoutes(): Promise<void> {
  const { routes } = await readKernelObjects();
  const of = (six: boolean): string[] =>
    [...routes]
      .filter((route) => isIpv6(route.replace(/^(unreachable|throw) /, "").split(" ")[0] ?? "") === six)
      .map((route) => `route del ${route} protocol ${PROTOCOL}`);
  await Promise.all([batch("-4", of(false)), batch("-6", of(true))]);
}

async function deleteTable(): Promise<readonly string[]> {
  if (!(await hasTable())) return [];
  await command("nft", ["delete", "table", "inet", NFT_TABLE]);
  return [`inet ${NFT_TABLE}`];
}

/** Continues after a line that fails: its object may have been deleted with another one. */
async function batch(family: "-4" | "-6", lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  await command("ip", [family, "-force", "-batch", "-"], { input: `${lines.join("\n")}\n` }).catch(() => {});
}
