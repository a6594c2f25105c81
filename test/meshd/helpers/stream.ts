/** Watches a stream of packets between two hosts for gaps. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const SCRIPT = new URL("./stream-process.ts", import.meta.url).pathname;

export interface Arrival {
  readonly number: number;
  readonly atMillis: number;
}

export class Stream {
  readonly arrivals: Arrival[] = [];
  readonly #children: ChildProcess[];

  private constructor(children: ChildProcess[]) {
    this.#children = children;
  }

  /** Runs once the first packet arrived. */
  static async between(sender: string, receiver: string, address: string, intervalMillis = 20): Promise<Stream> {
    const start = (namespace: string, ...args: string[]) =>
      spawn("ip", ["netns", "exec", namespace, process.execPath, SCRIPT, ...args], {
        stdio: ["ignore", "pipe", "inherit"],
      });
    const to = start(receiver, "receive");
    const stream = new Stream([to]);
    const lines = createInterface({ input: to.stdout });
    await once(lines, "line");
    const first = once(lines, "line");
    lines.on("line", (line) => {
      const [number, atMillis] = line.split(" ").map(Number);
      stream.arrivals.push({ number: number ?? 0, atMillis: atMillis ?? 0 });
    });
    stream.#children.push(start(sender, "send", address, String(intervalMillis)));
    await first;
    return stream;
  }

  /** The longest pause between two arrivals since that moment. */
  maxGapMillis(sinceMillis: number): number {
    const times = this.arrivals.map((arrival) => arrival.atMillis).filter((at) => at >= sinceMillis - 50);
    return Math.max(0, ...times.slice(1).map((at, index) => at - (times[index] ?? at)));
  }

  stop(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }
}
