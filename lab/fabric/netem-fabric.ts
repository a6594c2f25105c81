/** Fabrics emulated by the kernel (netem-plan.ts). */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { EphemeshError } from "../../agent/model/errors.ts";
import { type Attachment, attachments, coreNamespace, routerNamespace } from "../layout/plan.ts";
import { fabricIndex, type Topology } from "../layout/topology.ts";
import { run } from "../run.ts";
import { type Direction, type FabricDriver, type LinkCounters, type LinkSettings, topologyLink } from "./fabric.ts";
import { ipLines, linkLine, portOf, routerIpLines, sharedLine, tcLines } from "./netem-plan.ts";

/** Tries in a temporary namespace, because the kernel may refuse modules that exist. */
export async function kernelHasNetem(): Promise<boolean> {
  const trial = [
    "qdisc add dev lo root handle 1: htb",
    "class add dev lo parent 1: classid 1:1 htb rate 10gbit quantum 60000",
    "qdisc add dev lo parent 1:1 handle 10: netem delay 1ms loss random 1% rate 1mbit",
    "filter add dev lo parent 1: protocol all prio 1 flower src_mac 02:00:00:00:00:01 classid 1:1",
    "qdisc add dev lo ingress",
    "filter add dev lo ingress protocol all prio 1 matchall action mirred egress redirect dev lo",
  ];
  try {
    await run(["unshare", "--net", "tc", "-batch", "-"], { input: `${trial.join("\n")}\n` });
    await run(["unshare", "--net", "ip", "link", "add", "trial0", "type", "ifb"]);
    await run([
      "unshare",
      "--net",
      "tc",
      "qdisc",
      "add",
      "dev",
      "lo",
      "root",
      "tbf",
      "rate",
      "1mbit",
      "burst",
      "3000",
      "limit",
      "9000",
    ]);
    return true;
  } catch (error) {
    if (error instanceof EphemeshError && error.code === "COMMAND_FAILED") return false;
    throw error;
  }
}

export async function startNetem(topology: Topology, labId: string): Promise<void> {
  const core = coreNamespace(labId);
  await run(["ip", "-netns", core, "-batch", "-"], { input: `${ipLines(topology, labId).join("\n")}\n` });
  await Promise.all(
    topology.regions.map(({ name }) =>
      run(["ip", "-netns", routerNamespace(labId, name), "-batch", "-"], {
        input: `${routerIpLines(topology, name).join("\n")}\n`,
      }),
    ),
  );
  await run(["tc", "-netns", core, "-batch", "-"], { input: `${tcLines(topology).join("\n")}\n` });
}

const linkState = z.strictObject({
  delayMicros: z.number(),
  jitterMicros: z.number(),
  lossPpm: z.number(),
  rateKbps: z.number(),
  queueBytes: z.number(),
  cut: z.boolean(),
});

const queueStatistics = z.array(
  z.object({ parent: z.string().optional(), bytes: z.number(), packets: z.number(), drops: z.number() }),
);

export class NetemFabric implements FabricDriver {
  readonly kind = "netem";
  readonly #topology: Topology;
  readonly #core: string;
  /** What each link was last set to: netem cannot say it back (a cut hides the loss, a limit holds two things). */
  readonly #stateDir: string;
  #waiting: { readonly line: string; readonly done: PromiseWithResolvers<void> }[] = [];

  constructor(topology: Topology, labId: string, stateDir: string) {
    this.#topology = topology;
    this.#core = coreNamespace(labId);
    this.#stateDir = stateDir;
  }

  async setLink(direction: Direction, change: Partial<LinkSettings>): Promise<void> {
    const link = { ...(await this.readLink(direction)), ...change };
    const [from, to] = this.#ends(direction);
    await this.#apply(linkLine(from, to, link));
    await mkdir(this.#stateDir, { recursive: true });
    await writeFile(this.#stateFile(direction), JSON.stringify(link));
  }

  async readLink(direction: Direction): Promise<LinkSettings> {
    const text = await readFile(this.#stateFile(direction), "utf8").catch(() => undefined);
    return text === undefined ? topologyLink(this.#topology, direction) : linkState.parse(JSON.parse(text));
  }

  async readCounters(direction: Direction): Promise<LinkCounters> {
    const [from, to] = this.#ends(direction);
    const port = portOf(to.fabricIndex, to.regionIndex);
    const text = await run(["tc", "-netns", this.#core, "-statistics", "-json", "qdisc", "show", "dev", port]);
    const parent = `1:${from.regionIndex.toString(16)}`;
    const found = queueStatistics.parse(JSON.parse(text)).find((queue) => queue.parent === parent);
    return { frames: found?.packets ?? 0, bytes: found?.bytes ?? 0, dropped: found?.drops ?? 0 };
  }

  async setShared(fabric: string, rateKbps: number, queueBytes: number): Promise<void> {
    await this.#apply(sharedLine(fabricIndex(this.#topology, fabric), rateKbps, queueBytes));
  }

  async close(): Promise<void> {}

  #ends(direction: Direction): readonly [Attachment, Attachment] {
    const find = (region: string) =>
      attachments(this.#topology).find((at) => at.fabric === direction.fabric && at.region === region);
    const [from, to] = [find(direction.from), find(direction.to)];
    if (from && to) return [from, to];
    throw new EphemeshError(
      "LAB_NO_SUCH_LINK",
      `${direction.from} and ${direction.to} do not meet on ${direction.fabric}.`,
      "Name two different regions that are members of one fabric.",
    );
  }

  #stateFile(direction: Direction): string {
    return `${this.#stateDir}/${direction.fabric}.${direction.from}.${direction.to}.json`;
  }

  /** Changes that are made in the same turn of the event loop go to the kernel as one batch. */
  #apply(line: string): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ line, done });
    if (this.#waiting.length === 1) setImmediate(() => void this.#flush());
    return done.promise;
  }

  async #flush(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    try {
      await run(["tc", "-netns", this.#core, "-batch", "-"], {
        input: `${batch.map(({ line }) => line).join("\n")}\n`,
      });
      for (const { done } of batch) done.resolve();
    } catch (error) {
      for (const { done } of batch) done.reject(error);
    }
  }
}
