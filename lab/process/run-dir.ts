/**
 * The labs of this machine: one directory each under /run/ephemesh-lab. It names the owning process and exists before the
 * first namespace, so that the next run finds and removes what a crashed run left.
 */
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { z } from "zod";
import { EphemeshError } from "../../agent/model/errors.ts";
import { NAMESPACE_PREFIX } from "../layout/plan.ts";
import { parseTopology, type Topology } from "../layout/topology.ts";
import { run } from "../run.ts";
import { endProcesses, identify, isAlive, processesInside } from "./processes.ts";

const LABS = "/run/ephemesh-lab";
/** Prefix of a claim that is being written. */
const CLAIM = ".claim-";
/** No dashes: the namespaces of lab `a` must not look like those of lab `a-b`. */
const LAB_ID = /^[a-z0-9]{1,12}$/;

const owner = z.strictObject({
  /** Null: the lab has no owner and stays until it is taken down by name. */
  process: z.strictObject({ pid: z.number().int(), startTicks: z.string() }).nullable(),
});

export interface RunDir {
  readonly path: string;
  readonly wireSocket: string;
  readonly logs: string;
  /** The directory of WireGuard's control sockets for a namespace. */
  sockets(namespace: string): string;
}

/** @throws EphemeshError LAB_ID_INVALID */
export function runDir(labId: string): RunDir {
  if (!LAB_ID.test(labId)) {
    throw new EphemeshError(
      "LAB_ID_INVALID",
      `Invalid lab name: ${JSON.stringify(labId)}.`,
      "Use 1 to 12 lower-case letters and digits.",
    );
  }
  const path = `${LABS}/${labId}`;
  return {
    path,
    wireSocket: `${path}/wire.sock`,
    logs: `${path}/logs`,
    sockets: (namespace) => `${path}/wireguard/${namespace}`,
  };
}

/** Takes the name for this process, or without owner, in one atomic step. @throws EphemeshError LAB_NAME_TAKEN, LAB_ID_INVALID */
export async function claimLab(labId: string, topology: Topology, ownedByThisProcess: boolean): Promise<RunDir> {
  const dir = runDir(labId);
  await mkdir(LABS, { recursive: true, mode: 0o755 });
  const unfinished = await mkdtemp(`${LABS}/${CLAIM}`);
  const claim = { process: ownedByThisProcess ? ((await identify(process.pid)) ?? null) : null };
  await writeFile(`${unfinished}/owner.json`, JSON.stringify(claim));
  await writeFile(`${unfinished}/topology.json`, JSON.stringify(topology));
  await mkdir(`${unfinished}/logs`);
  // Agents drop privileges and keep their state below.
  await chmod(unfinished, 0o755);
  try {
    await rename(unfinished, dir.path);
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true });
    throw new EphemeshError(
      "LAB_NAME_TAKEN",
      `A lab called ${labId} already exists.`,
      `Take it down with \`node lab/main.ts down ${labId}\`, or give another name.`,
      { cause },
    );
  }
  return dir;
}

/** The topology of a lab that exists. @throws EphemeshError LAB_NOT_FOUND */
export async function readClaim(labId: string): Promise<Topology> {
  const path = `${runDir(labId).path}/topology.json`;
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new EphemeshError(
      "LAB_NOT_FOUND",
      `There is no lab called ${labId}.`,
      "`node lab/main.ts status` lists the labs.",
      { cause },
    );
  });
  return parseTopology(JSON.parse(text), path);
}

export interface KnownLab {
  readonly id: string;
  readonly state: "owned" | "kept" | "abandoned";
}

export async function knownLabs(): Promise<readonly KnownLab[]> {
  const entries = await readdir(LABS).catch(() => [] as string[]);
  const labs = entries
    .filter((entry) => LAB_ID.test(entry))
    .map(async (id): Promise<KnownLab> => {
      const text = await readFile(`${LABS}/${id}/owner.json`, "utf8").catch(() => undefined);
      const parsed = text === undefined ? undefined : owner.safeParse(JSON.parse(text)).data;
      if (parsed?.process === null) return { id, state: "kept" };
      return { id, state: parsed && (await isAlive(parsed.process!)) ? "owned" : "abandoned" };
    });
  return Promise.all(labs);
}

/** Ends every process inside the lab and removes all that the lab made, also if only part of it exists. */
export async function removeLab(labId: string, graceMillis = 2000): Promise<void> {
  const dir = runDir(labId);
  const namespaces = await namespacesOf(labId);
  await endProcesses(await processesInside(namespaces), graceMillis);
  // A process may have started another before it ended.
  await endProcesses(await processesInside(namespaces), 0);
  try {
    await run(["ip", "-force", "-batch", "-"], { input: namespaces.map((name) => `netns delete ${name}\n`).join("") });
  } catch (error) {
    // Another run may be removing the same namespaces.
    if ((await namespacesOf(labId)).length > 0) throw error;
  }
  await rm(dir.path, { recursive: true, force: true });
}

async function namespacesOf(labId: string): Promise<readonly string[]> {
  const all = await readdir("/run/netns").catch(() => [] as string[]);
  return all.filter((name) => name.startsWith(`${NAMESPACE_PREFIX}${labId}-`));
}

/** Removes the labs of crashed runs. Labs with a living owner, and kept ones, are left alone. @returns their names */
export async function removeAbandonedLabs(): Promise<readonly string[]> {
  const abandoned = (await knownLabs()).filter((lab) => lab.state === "abandoned").map((lab) => lab.id);
  for (const id of abandoned) await removeLab(id, 0);
  for (const entry of await readdir(LABS).catch(() => [] as string[])) {
    const path = `${LABS}/${entry}`;
    const file = entry.startsWith(CLAIM) ? await stat(path).catch(() => undefined) : undefined;
    // Writing a claim takes milliseconds.
    if (file && Date.now() - file.mtimeMs > 60_000) await rm(path, { recursive: true, force: true });
  }
  return abandoned;
}
