/**
 * The control channel inside ENIs: one listener at our end of each link that is up, on that interface's link-local
 * address alone, so that only the link's other end reaches it. It goes with the link.
 */
import type { RequestListener, Server } from "node:http";
import { networkInterfaces } from "node:os";
import { ENI_CONTROL_PORT, type EniEnd } from "../model/eni.ts";
import { listen } from "./server.ts";

export class EniListeners {
  readonly #app: RequestListener;
  readonly #onFailed: (end: EniEnd, error: Error) => void;
  readonly #servers = new Map<string, Server>();
  #running = false;

  constructor(app: RequestListener, onFailed: (end: EniEnd, error: Error) => void) {
    this.#app = app;
    this.#onFailed = onFailed;
  }

  /** Safe to call at any time; one that could not listen is tried again at the next call. */
  async follow(ends: readonly EniEnd[]): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const interfaces = networkInterfaces();
    const wanted = new Map(ends.map((end) => [identityOf(end, interfaces), end]));
    for (const [identity, server] of this.#servers) if (!wanted.has(identity)) this.#end(identity, server);
    for (const [identity, end] of wanted) {
      if (this.#servers.has(identity)) continue;
      await listen(this.#app, { host: `${end.ownAddress}%${end.device}`, port: ENI_CONTROL_PORT }).then(
        (server) => void this.#servers.set(identity, server),
        (error: Error) => this.#onFailed(end, error),
      );
    }
    this.#running = false;
  }

  close(): void {
    for (const [identity, server] of this.#servers) this.#end(identity, server);
  }

  #end(identity: string, server: Server): void {
    this.#servers.delete(identity);
    server.closeAllConnections();
    server.close();
  }
}

/** With the interface's number, which is its link-local addresses' scope: one made anew under its name has another. */
function identityOf({ ownAddress, device }: EniEnd, interfaces: ReturnType<typeof networkInterfaces>): string {
  const found = interfaces[device]?.find(({ address }) => address === ownAddress);
  return `${ownAddress}%${device} ${found?.family === "IPv6" ? found.scopeid : "away"}`;
}
