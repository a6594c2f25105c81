/** UDP ports for tunnels, from the underlay's range: unused on the machine, and not reserved for another link. */
import { createSocket } from "node:dgram";
import { EphemeshError } from "../../model/errors.ts";
import type { Underlay } from "../steering/outer.ts";

/** @throws EphemeshError NO_PORT */
export async function unusedPort(underlay: Underlay, reserved: ReadonlySet<number>): Promise<number> {
  for (let port = underlay.portFirst; port <= underlay.portLast; port++) {
    if (!reserved.has(port) && (await canBind(port))) return port;
  }
  throw new EphemeshError(
    "NO_PORT",
    `All UDP ports ${underlay.portFirst}-${underlay.portLast} of underlay ${underlay.name} are in use; no key was made.`,
    "Widen `ports` of the underlay: each link needs one.",
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
