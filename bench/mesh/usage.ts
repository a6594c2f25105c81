/** Processor time of processes from schedstat, because /proc's clock ticks are too coarse for a daemon at rest. */
import { readdir, readFile } from "node:fs/promises";

/** Processor time of these processes and of the tools that they keep running, in milliseconds since their start. */
export async function cpuMillis(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(pids.map(async (pid) => [pid, ...(await helpersOf(pid))]));
  const spent = await Promise.all(each.flat().map(cpuOf));
  return spent.reduce((sum, millis) => sum + millis, 0);
}

/** The long-lived `ip` and `tc` of meshd; tunnels do no routing. */
async function helpersOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const children = text
    .split(" ")
    .map(Number)
    .filter((child) => child > 0);
  const names = await Promise.all(children.map((child) => readFile(`/proc/${child}/comm`, "utf8").catch(() => "")));
  return children.filter((_, index) => ["ip", "tc"].includes(names[index]?.trim() ?? ""));
}

/** The first field of schedstat, for each thread, is nanoseconds on a processor. */
async function cpuOf(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [] as string[]);
  const spent = await Promise.all(
    threads.map(async (thread) => {
      const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, "utf8").catch(() => "0");
      return Number(text.split(" ")[0]) / 1e6;
    }),
  );
  return spent.reduce((sum, millis) => sum + millis, 0);
}

export interface DeviceCount {
  readonly sentBytes: number;
  readonly sentPackets: number;
}

/** Counters of the devices in the network namespace of a process. */
export async function deviceCounts(pid: number): Promise<ReadonlyMap<string, DeviceCount>> {
  const text = await readFile(`/proc/${pid}/net/dev`, "utf8");
  return new Map(
    text
      .split("\n")
      .slice(2)
      .filter(Boolean)
      .map((line) => {
        const [name = "", rest = ""] = line.split(":");
        const fields = rest.trim().split(/\s+/).map(Number);
        return [name.trim(), { sentBytes: fields[8] ?? 0, sentPackets: fields[9] ?? 0 }];
      }),
  );
}
