/** Speaks to a meshd over its socket, checking both directions against the messages' schemas. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { z } from "zod";
import { type MeshdMessage, meshdMessages, meshdReply } from "../../../agent/model/meshd-messages.ts";

type Request<T extends MeshdMessage> = z.input<(typeof meshdMessages)[T]["request"]>;
type Reply<T extends MeshdMessage> = z.infer<(typeof meshdMessages)[T]["reply"]>;

export class MeshdError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export class MeshdClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, { resolve: (body: unknown) => void; reject: (error: Error) => void }>();
  #next = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const lines = createInterface({ input: socket });
    // It repeats the socket's errors; a meshd that is killed resets the connection.
    lines.on("error", () => {});
    lines.on("line", (line) => {
      const reply = meshdReply.parse(JSON.parse(line));
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.ok) waiting?.resolve(reply.body);
      else waiting?.reject(new MeshdError(reply.error.code, reply.error.message));
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("meshd closed the connection"));
    });
  }

  static async connect(path: string, child: Pick<ChildProcess, "exitCode" | "signalCode">): Promise<MeshdClient> {
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`meshd ended with ${child.signalCode ?? child.exitCode}`);
      const socket = connect(path);
      try {
        await once(socket, "connect");
        return new MeshdClient(socket);
      } catch {
        await delay(10);
      }
    }
  }

  async ask<T extends MeshdMessage>(type: T, body: Request<T>): Promise<Reply<T>> {
    if (this.#socket.destroyed) throw new Error("meshd closed the connection");
    const id = this.#next++;
    const reply = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.write(`${JSON.stringify({ id, type, body })}\n`);
    return meshdMessages[type].reply.parse(await reply) as Reply<T>;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Asks until the answer pleases: what is awaited is an event in another process, which nothing else announces. */
export async function until<T>(
  ask: () => Promise<T>,
  pleases: (answer: T) => boolean,
  limitMillis = 20_000,
): Promise<T> {
  const end = performance.now() + limitMillis;
  for (;;) {
    const answer = await ask();
    if (pleases(answer)) return answer;
    if (performance.now() > end) throw new Error(`not within ${limitMillis} ms; last: ${JSON.stringify(answer)}`);
    await delay(10);
  }
}
