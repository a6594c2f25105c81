/**
 * The UDP socket inside one ENI, from our end's address to the other end's: connected, so that the kernel lets nobody
 * else's packets through and looks up no name at each sending.
 */
import { createSocket, type Socket } from "node:dgram";
import { PROBE_PORT } from "../kernel/marks.ts";

export interface LinkSocketEvents {
  readonly onPacket: (packet: Buffer) => void;
  /** The interface went away, or is down. */
  readonly onError: (error: Error) => void;
}

export class LinkSocket {
  readonly #socket: Socket;
  readonly #events: LinkSocketEvents;
  #open = true;

  private constructor(socket: Socket, events: LinkSocketEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on("error", (error) => this.#failed(error));
    socket.on("message", (packet) => {
      if (this.#open) events.onPacket(packet);
    });
  }

  /** Resolves once bound and connected. */
  static async open(
    device: string,
    addresses: { readonly own: string; readonly peer: string },
    events: LinkSocketEvents,
  ): Promise<LinkSocket> {
    const socket = createSocket({ type: "udp6", ipv6Only: true });
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error): void => {
        socket.close();
        reject(error);
      };
      socket.once("error", failed);
      socket.bind({ address: `${addresses.own}%${device}`, port: PROBE_PORT, exclusive: true }, () => {
        socket.connect(PROBE_PORT, `${addresses.peer}%${device}`, () => {
          socket.off("error", failed);
          resolve();
        });
      });
    });
    return new LinkSocket(socket, events);
  }

  send(packet: Buffer): void {
    if (!this.#open) return;
    this.#socket.send(packet, (error) => {
      if (error) this.#failed(error);
    });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
  }

  /** That nobody listens at the other end yet is no fault of the interface. */
  #failed(error: NodeJS.ErrnoException): void {
    if (this.#open && error.code !== "ECONNREFUSED") this.#events.onError(error);
  }
}
