/**
 * The control channel inside ENIs: one listener at our end of each link that is up, on that interface's link-local
 * address alone, so that only the link's other end reaches it. It goes with the link.
 */
import type { RequestListener, Server } from "node:http";
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
    const wanted = new Map(ends.map((end) => [`${end.ownAddress}%${end.device}`, end]));
    for (const [host, server] of this.#servers) if (!wanted.has(host)) this.#end(host, server);
    for (const [host, end] of wanted) {
      if (this.#servers.has(host)) continue;
      await listen(this.#app, { host, port: ENI_CONTROL_PORT }).then(
        (server) => void this.#servers.set(host, server),
        (error: Error) => this.#onFailed(end, error),
      );
    }
    this.#running = false;
  }

  close(): void {
    for (const [host, server] of this.#servers) this.#end(host, server);
  }

  #end(host: string, server: Server): void {
    this.#servers.delete(host);
    server.closeAllConnections();
    server.close();
  }
}
