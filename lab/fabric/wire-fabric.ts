/** Fabrics emulated by the lab's own wire (wire.c), which is compiled once per version and controlled over a socket. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { EphemeshError } from "../../agent/model/errors.ts";
import { SerialQueue } from "../../agent/model/serial-queue.ts";
import { attachments, coreNamespace, routerNamespace } from "../layout/plan.ts";
import { fabricIndex, regionIndex, type Topology } from "../layout/topology.ts";
import { run } from "../run.ts";
import type { Direction, FabricDriver, LinkCounters, LinkSettings } from "./fabric.ts";

const SOURCE = new URL("./wire.c", import.meta.url).pathname;
const CACHE = new URL("../../.lab/", import.meta.url).pathname;

/** Compiles the wire unless this version is compiled already. @returns its path. @throws EphemeshError LAB_WIRE_NOT_COMPILED */
export async function compiledWire(): Promise<string> {
  const source = await readFile(SOURCE);
  const program = `${CACHE}wire-${process.arch}-${createHash("sha256").update(source).digest("hex").slice(0, 16)}`;
  if (await stat(program).catch(() => undefined)) return program;
  await mkdir(CACHE, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  try {
    await run(["cc", "-O2", "-o", unfinished, SOURCE], { timeoutMillis: 60_000 });
    await rename(unfinished, program);
  } catch (cause) {
    await rm(unfinished, { force: true });
    throw new EphemeshError(
      "LAB_WIRE_NOT_COMPILED",
      `Cannot compile the lab's wire: ${(cause as Error).message}`,
      "This kernel has no netem, so the lab needs a C compiler: run `scripts/bootstrap lab`.",
      { cause },
    );
  }
  return program;
}

/** Starts the wire, which creates the fabrics' devices in all routers. It may outlive this process, like the lab. */
export async function startWire(topology: Topology, labId: string, socketPath: string): Promise<void> {
  const program = await compiledWire();
  const ports = attachments(topology).map((port) =>
    [
      "port",
      port.fabricIndex,
      port.regionIndex,
      `/run/netns/${routerNamespace(labId, port.region)}`,
      port.device,
      port.mtu,
    ].join(" "),
  );
  const wire = spawn("ip", ["netns", "exec", coreNamespace(labId), program, socketPath], { detached: true });
  let stderr = "";
  wire.stderr.on("data", (text: Buffer) => {
    stderr += text;
  });
  wire.stdin.end(`${ports.join("\n")}\n`);
  const ready = await Promise.race([once(wire.stdout, "data").then(() => true), once(wire, "close").then(() => false)]);
  if (!ready) {
    throw new EphemeshError(
      "LAB_WIRE_FAILED",
      `The lab's wire did not start: ${stderr}`,
      "It needs root and /dev/net/tun.",
    );
  }
  wire.unref();
  wire.stdout.destroy();
  wire.stderr.destroy();
}

export class WireFabric implements FabricDriver {
  readonly kind = "wire";
  readonly #topology: Topology;
  readonly #socket: Socket;
  readonly #answers: AsyncIterator<string>;
  /** One request at a time, because answers have no number. */
  readonly #queue = new SerialQueue();

  private constructor(topology: Topology, socket: Socket) {
    this.#topology = topology;
    this.#socket = socket;
    this.#answers = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  static async connect(topology: Topology, socketPath: string): Promise<WireFabric> {
    const socket = connect(socketPath);
    try {
      await once(socket, "connect");
    } catch (cause) {
      throw new EphemeshError(
        "LAB_WIRE_GONE",
        "The lab's wire does not answer, so its regions do not reach each other.",
        "Take the lab down and bring it up again.",
        { cause },
      );
    }
    socket.unref();
    return new WireFabric(topology, socket);
  }

  async setLink(direction: Direction, change: Partial<LinkSettings>): Promise<void> {
    await this.#link(direction, [
      ...setting("delay", change.delayMicros, 1000),
      ...setting("jitter", change.jitterMicros, 1000),
      ...setting("loss", change.lossPpm),
      ...setting("rate", change.rateKbps),
      ...setting("queue", change.queueBytes),
      ...(change.cut === undefined ? [] : [`cut=${change.cut ? 1 : 0}`]),
    ]);
  }

  async readLink(direction: Direction): Promise<LinkSettings> {
    const answer = await this.#link(direction, []);
    return {
      delayMicros: figure(answer, "delay") / 1000,
      jitterMicros: figure(answer, "jitter") / 1000,
      lossPpm: figure(answer, "loss"),
      rateKbps: figure(answer, "rate"),
      queueBytes: figure(answer, "queue"),
      cut: figure(answer, "cut") !== 0,
    };
  }

  async readCounters(direction: Direction): Promise<LinkCounters> {
    const answer = await this.#link(direction, []);
    return { frames: figure(answer, "frames"), bytes: figure(answer, "bytes"), dropped: figure(answer, "dropped") };
  }

  async setShared(fabric: string, rateKbps: number, queueBytes: number): Promise<void> {
    const index = fabricIndex(this.#topology, fabric);
    await this.#ask(["shared", index, `rate=${Math.round(rateKbps)}`, `queue=${Math.round(queueBytes)}`].join(" "));
  }

  async close(): Promise<void> {
    this.#socket.destroy();
  }

  #link(direction: Direction, settings: readonly string[]): Promise<string> {
    const fabric = fabricIndex(this.#topology, direction.fabric);
    const from = regionIndex(this.#topology, direction.from);
    const to = regionIndex(this.#topology, direction.to);
    return this.#ask(["link", fabric, from, to, ...settings].join(" "));
  }

  #ask(line: string): Promise<string> {
    return this.#queue.run(async () => {
      // The socket keeps this process alive only while an answer is pending.
      this.#socket.ref();
      this.#socket.write(`${line}\n`);
      const next = await this.#answers.next();
      this.#socket.unref();
      if (next.done !== true && next.value.startsWith("ok")) return next.value;
      throw new EphemeshError(
        "LAB_WIRE_REFUSED",
        `The lab's wire refused "${line}": ${next.done === true ? "the wire has ended" : next.value}`,
        "Check the figures; if the wire has ended, take the lab down and bring it up again.",
      );
    });
  }
}

function setting(name: string, value: number | undefined, factor = 1): string[] {
  return value === undefined ? [] : [`${name}=${Math.round(value * factor)}`];
}

function figure(answer: string, name: string): number {
  return Number(new RegExp(`\\b${name}=(\\d+)`).exec(answer)?.[1]);
}
