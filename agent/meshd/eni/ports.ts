/** UDP ports for tunnels, out of an underlay's range: free on the machine, and not promised to another link. */
import { createSocket } from "node:dgram";
import { EphemeshError } from "../../model/errors.ts";
import type { Underlay } from "../steering/outer.ts";

export async function freePort(underlay: Underlay, promised: ReadonlySet<number>): Promise<number> {
  for (let port = underlay.portFirst; port <= underlay.portLast; port++) {
    if (!promised.has(port) && (await canBind(port))) return port;
  }
  throw new EphemeshError(
    "NO_PORT",
    `All UDP ports ${underlay.portFirst}-${underlay.portLast} of underlay ${underlay.name} are taken; no key was made.`,
    "Widen `ports` of the underlay: one port a link.",
    { retryable: true },
  );
}

function canBind(port: number): Promise<boolean> {
  const socket = createSocket({ type: "udp6" });
  return new Promise((resolve) => {
    socket.once("error", () => resolve(false));
    socket.bind({ port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
