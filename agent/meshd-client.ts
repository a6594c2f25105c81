/** The agent's end of the Unix socket to meshd: one connection, typed both ways, reconnected when needed. */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { z } from "zod";
import { EphemeshError } from "./model/errors.ts";
import { type MeshdMessage, meshdMessages, meshdReply } from "./model/meshd-messages.ts";
import { VERSION } from "./model/version.ts";

type Request<T extends MeshdMessage> = z.input<(typeof meshdMessages)[T]["request"]>;
type Reply<T extends MeshdMessage> = z.output<(typeof meshdMessages)[T]["reply"]>;

interface Waiting {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
}

const TIMEOUT_MILLIS = 10_000;

export class MeshdClient {
  readonly #path: string;
  #socket: Promise<Socket> | null = null;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();
  readonly #onMismatch: (problem: EphemeshError) => void;
  /** As the newest heartbeat said. */
  #version: string | null = null;

  /** @param onMismatch gets MESHD_VERSION when a heartbeat first tells a version that is not this agent's. */
  constructor(path: string, onMismatch: (problem: EphemeshError) => void = () => undefined) {
    this.#path = path;
    this.#onMismatch = onMismatch;
  }

  /** MESHD_VERSION while meshd runs another version than this agent, else null; null before the first heartbeat. */
  get versionMismatch(): EphemeshError | null {
    if (this.#version === null || this.#version === VERSION) return null;
    return new EphemeshError(
      "MESHD_VERSION",
      `meshd runs version ${this.#version}, the agent version ${VERSION}.`,
      "Restart `ephemesh up`; traffic is on the standing peering meanwhile.",
    );
  }

  /** Fails after 10 s. @throws EphemeshError MESHD_UNREACHABLE (retryable), or the error that meshd returned */
  async ask<T extends MeshdMessage>(type: T, body: Request<T>): Promise<Reply<T>> {
    this.#socket ??= this.#connect();
    const socket = await this.#socket;
    const id = this.#nextId++;
    const answered = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    const timer = setTimeout(() => this.#fail(id, unreachable("it did not answer within 10 s")), TIMEOUT_MILLIS);
    socket.write(`${JSON.stringify({ id, type, body })}\n`);
    try {
      const reply = meshdMessages[type].reply.parse(await answered) as Reply<T>;
      if ("version" in reply) this.#noteVersion(reply.version);
      return reply;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  close(): void {
    void this.#socket?.then((socket) => socket.destroy()).catch(() => undefined);
    this.#socket = null;
  }

  #noteVersion(version: string): void {
    if (version === this.#version) return;
    this.#version = version;
    if (this.versionMismatch) this.#onMismatch(this.versionMismatch);
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#path);
      let isLost = false;
      const lost = (cause?: Error) => {
        // Called twice, for error and close: by then the next connection may have requests of its own.
        if (isLost) return;
        isLost = true;
        this.#socket = null;
        const error = unreachable(cause?.message ?? "the connection ended");
        for (const id of [...this.#waiting.keys()]) this.#fail(id, error);
        reject(error);
      };
      socket.once("connect", () => {
        resolve(socket);
        // The meshd behind a new connection may be of another version.
        this.ask("heartbeat", {}).catch(() => undefined);
      });
      socket.on("error", lost);
      socket.on("close", () => lost());
      createInterface({ input: socket })
        .on("line", (line) => this.#receive(line))
        .on("error", () => undefined);
      socket.unref();
    });
  }

  #receive(line: string): void {
    const reply = meshdReply.parse(JSON.parse(line));
    const waiting = this.#waiting.get(reply.id);
    if (!waiting) return;
    if (reply.ok) waiting.resolve(reply.body);
    else waiting.reject(new EphemeshError(reply.error.code, reply.error.message, reply.error.remedy));
  }

  #fail(id: number, error: Error): void {
    this.#waiting.get(id)?.reject(error);
  }
}

function unreachable(reason: string): EphemeshError {
  return new EphemeshError(
    "MESHD_UNREACHABLE",
    `meshd does not answer: ${reason}. Interfaces and routes stay as they are.`,
    "`ephemesh up` restarts it by itself; `ephemesh doctor` checks what it needs.",
    { retryable: true },
  );
}
