/** Memory and processor time of a process and all that it started, read from /proc. */
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

export interface ProcessUse {
  readonly rssMegabytes: number;
  /** Of one core, over the window. */
  readonly cpuPercent: number;
}

/** @param roots processes whose descendants count, they themselves not (they only supervise). */
export async function processUse(roots: readonly number[], windowMillis: number): Promise<ProcessUse> {
  const begin = await readTree(roots);
  const started = performance.now();
  await delay(windowMillis);
  const end = await readTree(roots);
  const elapsed = (performance.now() - started) / 1000;
  const spent = end.reduce((sum, p) => sum + p.ticks - (begin.find((b) => b.pid === p.pid)?.ticks ?? p.ticks), 0);
  return {
    rssMegabytes: end.reduce((sum, p) => sum + p.rssBytes, 0) / 1e6,
    cpuPercent: (100 * spent) / TICKS_PER_SECOND / elapsed,
  };
}

interface Reading {
  readonly pid: number;
  readonly ticks: number;
  readonly rssBytes: number;
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
    rssBytes: Number(fields[21]) * PAGE_BYTES,
  };
}
