/**
 * Relays a TCP port of the machine's own network into a namespace. This process opens the listening socket; a child
 * inside the namespace (this same file) accepts its connections and connects to the target. A socket stays in the network
 * where it was opened, so the machine's network need not change.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { pipeline } from "node:stream";
import { EphemeshError } from "../../agent/model/errors.ts";
import type { Command } from "../run.ts";

export interface Relay {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
}

const SELF = new URL(import.meta.url).pathname;

/**
 * @param commandAt turns a command into one that runs inside the namespace. The child ends with the lab.
 * @throws EphemeshError PORT_TAKEN, LAB_RELAY_FAILED
 */
export async function openRelay(
  commandAt: (command: Command) => Command,
  target: { readonly host: string; readonly port: number },
  listen: { readonly host: string; readonly port: number },
): Promise<Relay> {
  const server = createServer();
  server.listen(listen.port, listen.host);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new EphemeshError(
      "PORT_TAKEN",
      `Cannot listen on ${listen.host}:${listen.port}: ${(cause as Error).message}`,
      "Give another port, or 0 for any.",
      { cause },
    );
  }
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : listen.port;
  const [file, ...args] = commandAt([process.execPath, SELF, target.host, String(target.port)]);
  const child = spawn(file, args, { stdio: ["ignore", "ignore", "inherit", "ipc"], detached: true });
  child.send("relay", server);
  const [answer] = await Promise.race([once(child, "message"), once(child, "exit")]);
  server.close();
  if (answer !== "open" || child.pid === undefined) {
    throw new EphemeshError("LAB_RELAY_FAILED", "The lab's relay did not start.", "See its message above.");
  }
  child.disconnect();
  child.unref();
  return { host: listen.host, port, pid: child.pid };
}

if (import.meta.main) {
  const [host = "", port = ""] = process.argv.slice(2);
  process.once("message", (_: unknown, server: Server) => {
    server.on("connection", (outside) => {
      const inside = connect(Number(port), host);
      for (const socket of [outside, inside]) socket.setNoDelay(true);
      // If one side fails, the relay closes the other.
      pipeline(outside, inside, () => inside.destroy());
      pipeline(inside, outside, () => outside.destroy());
    });
    process.send?.("open");
  });
}
