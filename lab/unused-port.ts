import { once } from "node:events";
import { createServer } from "node:net";
import { EphemeshError } from "../agent/model/errors.ts";

/** An unused TCP port on the loopback. @throws EphemeshError PORT_TAKEN */
export async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address === "object" && address !== null) return address.port;
  throw new EphemeshError(
    "PORT_TAKEN",
    "The loopback has no unused port.",
    "Close programs that listen on the loopback.",
  );
}
