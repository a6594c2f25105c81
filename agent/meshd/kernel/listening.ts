/** Whether a process serves a Unix socket: the file alone proves nothing, since a killed process leaves it behind. */
import { once } from "node:events";
import { connect } from "node:net";

/** Whether a process accepts connections on the Unix socket. */
export async function isListening(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
