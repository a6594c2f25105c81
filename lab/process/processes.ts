/** Processes identified by id and start time, because the kernel reuses process ids. */
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at which it started: field 22 of /proc/PID/stat. */
  readonly startTicks: string;
}

/** Undefined if there is no such process, or it is a zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The command's name is in parentheses and may contain any character.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  const startTicks = fields?.[19];
  if (startTicks === undefined || fields?.[0] === "Z") return undefined;
  return { pid, startTicks };
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.startTicks === identity.startTicks;
}

/** All processes inside these network namespaces, except this one. */
export async function processesInside(namespaces: readonly string[]): Promise<readonly ProcessIdentity[]> {
  const inodes = new Set<string>();
  for (const namespace of namespaces) {
    const file = await stat(`/run/netns/${namespace}`).catch(() => undefined);
    if (file) inodes.add(`net:[${file.ino}]`);
  }
  const found: ProcessIdentity[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const inode = await readlink(`/proc/${entry}/ns/net`).catch(() => "");
    const identity = inodes.has(inode) ? await identify(Number(entry)) : undefined;
    if (identity) found.push(identity);
  }
  return found;
}

/** Sends SIGTERM to all, and SIGKILL after the grace. Returns when none is left. */
export async function endProcesses(identities: readonly ProcessIdentity[], graceMillis: number): Promise<void> {
  const signalAll = async (signal: NodeJS.Signals) => {
    for (const identity of identities) {
      if (!(await isAlive(identity))) continue;
      try {
        process.kill(identity.pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
  };
  const anyAlive = async () => (await Promise.all(identities.map(isAlive))).some(Boolean);
  if (graceMillis > 0) await signalAll("SIGTERM");
  // Only a parent is told when a process ends, and these may have other parents.
  for (const deadline = performance.now() + graceMillis; (await anyAlive()) && performance.now() < deadline; )
    await delay(10);
  await signalAll("SIGKILL");
  while (await anyAlive()) await delay(5);
}
