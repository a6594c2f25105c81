/** Memory and processor time of processes and their descendants, from /proc. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

const TICKS_PER_SECOND = 100;
const KIBIBYTE = 1024;

export interface ProcessUse {
  /** Resident memory of all; the code that processes of one program share counts once. */
  readonly rssMegabytes: number;
  /** Percent of one core, over the window. */
  readonly cpuPercent: number;
}

/** @param roots processes whose descendants are measured; they themselves are not. */
export async function processUse(roots: readonly number[], windowMillis: number): Promise<ProcessUse> {
  const begin = await readTree(roots);
  const started = performance.now();
  await delay(windowMillis);
  const end = await readTree(roots);
  const elapsed = (performance.now() - started) / 1000;
  const spent = end.reduce((sum, p) => sum + p.ticks - (begin.find((b) => b.pid === p.pid)?.ticks ?? p.ticks), 0);
  return {
    rssMegabytes: residentBytes(await Promise.all(end.map(({ pid }) => readMemory(pid)))) / 1e6,
    cpuPercent: (100 * spent) / TICKS_PER_SECOND / elapsed,
  };
}

interface Reading {
  readonly pid: number;
  readonly ticks: number;
}

export interface Memory {
  readonly program: string;
  readonly privateBytes: number;
  /** Mapped files: the program and its libraries. */
  readonly fileBytes: number;
}

export function residentBytes(all: readonly Memory[]): number {
  const shared = new Map<string, number>();
  for (const { program, fileBytes } of all) shared.set(program, Math.max(shared.get(program) ?? 0, fileBytes));
  const once = [...shared.values()].reduce((sum, bytes) => sum + bytes, 0);
  return once + all.reduce((sum, { privateBytes }) => sum + privateBytes, 0);
}

async function readMemory(pid: number): Promise<Memory> {
  const [status, program] = await Promise.all([
    readFile(`/proc/${pid}/status`, "utf8").catch(() => ""),
    readlink(`/proc/${pid}/exe`).catch(() => ""),
  ]);
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * KIBIBYTE;
  return { program, privateBytes: bytes("RssAnon") + bytes("RssShmem"), fileBytes: bytes("RssFile") };
}

async function readTree(roots: readonly number[]): Promise<Reading[]> {
  const all = await Promise.all(
    (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map((name) => readStat(Number(name))),
  );
  const known = all.flatMap((reading) => reading ?? []);
  const inside = new Set(roots);
  for (let grew = true; grew; ) {
    const size = inside.size;
    for (const { pid, parent } of known) if (inside.has(parent)) inside.add(pid);
    grew = inside.size > size;
  }
  return known.filter(({ pid }) => inside.has(pid) && !roots.includes(pid));
}

async function readStat(pid: number): Promise<(Reading & { parent: number }) | null> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  if (!text) return null;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    pid,
    parent: Number(fields[1]),
    ticks: Number(fields[11]) + Number(fields[12]),
  };
}
