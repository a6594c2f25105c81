/** The Unix socket: one JSON object a line, each checked against the schema of its message before it is handled. */
import { once } from "node:events";
import { chmod, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import type { Logger } from "pino";
import type { z } from "zod";
import { EphemeshError } from "../model/errors.ts";
import { type MeshdMessage, meshdMessages, meshdRequest } from "../model/meshd-messages.ts";
import { isListening } from "./kernel/listening.ts";

export type Handlers = {
  readonly [type in MeshdMessage]: (
    body: z.infer<(typeof meshdMessages)[type]["request"]>,
  ) => Promise<z.input<(typeof meshdMessages)[type]["reply"]>>;
};

/** Enough for 65,536 pairs of the longest prefixes. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;

/**
 * Listens until the signal. Users that may open the file, its owner and group, may send messages.
 * @throws EphemeshError ALREADY_RUNNING
 */
export async function serve(path: string, handlers: Handlers, signal: AbortSignal, log: Logger): Promise<void> {
  await claimPath(path);
  const connections = new Set<Socket>();
  const server = createServer((connection) => {
    connections.add(connection);
    connection.on("close", () => connections.delete(connection));
    connection.on("error", (error) => log.debug({}, `socket: ${error.message}`));
    answerLines(connection, handlers, log);
  });
  server.listen(path);
  await once(server, "listening");
  await chmod(path, 0o660);
  if (!signal.aborted) await once(signal, "abort");
  server.close();
  for (const connection of connections) connection.destroy();
  await rm(path, { force: true });
}

function answerLines(connection: Socket, handlers: Handlers, log: Logger): void {
  let parts: string[] = [];
  let bytes = 0;
  connection.setEncoding("utf8");
  connection.on("data", (text: string) => {
    const lines = text.split("\n");
    const last = lines.pop() ?? "";
    for (const line of lines) {
      const whole = parts.length === 0 ? line : [...parts, line].join("");
      parts = [];
      bytes = 0;
      if (whole.trim() !== "") void answer(whole).then((reply) => connection.writable && connection.write(reply));
    }
    if (last !== "") parts.push(last);
    bytes += last.length;
    if (bytes > MAX_LINE_BYTES) connection.destroy(new Error("a line is too long"));
  });

  async function answer(line: string): Promise<string> {
    let id = 0;
    try {
      const request = meshdRequest.parse(parseJson(line));
      id = request.id;
      const body = await dispatch(request.type, request.body, handlers);
      return `${JSON.stringify({ id, ok: true, body })}\n`;
    } catch (error) {
      const known = error instanceof EphemeshError ? error : unexpected(error, log);
      const { code, message, remedy } = known;
      return `${JSON.stringify({ id, ok: false, error: { code, message, remedy } })}\n`;
    }
  }
}

async function dispatch<T extends MeshdMessage>(type: T, body: unknown, handlers: Handlers): Promise<unknown> {
  const { request, reply } = meshdMessages[type];
  const parsed = request.safeParse(body);
  if (!parsed.success) {
    const problems = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new EphemeshError(
      "MESHD_REQUEST_INVALID",
      `${type}: ${problems.join("; ")}. Nothing was changed.`,
      "Run agent and meshd of the same version.",
    );
  }
  const handler = handlers[type] as (body: unknown) => Promise<unknown>;
  return reply.parse(await handler(parsed.data));
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new EphemeshError(
      "MESHD_REQUEST_INVALID",
      "A line is not JSON. Nothing was changed.",
      "Send one JSON object a line.",
      {
        cause,
      },
    );
  }
}

function unexpected(error: unknown, log: Logger): EphemeshError {
  log.error({ err: error }, "unexpected");
  const message = error instanceof Error ? error.message : String(error);
  return new EphemeshError(
    "UNEXPECTED",
    `meshd: ${message}`,
    "This is a fault in meshd: please report it with the log.",
  );
}

/** Removes the file of a process that ended. */
async function claimPath(path: string): Promise<void> {
  if (await isListening(path)) {
    throw new EphemeshError(
      "ALREADY_RUNNING",
      `Another meshd listens on ${path}; nothing was started.`,
      "Stop the other one first, or configure another `runDir`.",
    );
  }
  await rm(path, { force: true });
}
