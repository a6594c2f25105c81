/**
 * The UDP socket inside one ENI (ephemeral network interface), between the link-local addresses of both ends: connected,
 * so that the kernel drops packets from other addresses.
 */
import { createSocket, type Socket } from "node:dgram";
import { PROBE_PORT } from "../kernel/marks.ts";

export interface LinkSocketEvents {
  readonly onPacket: (packet: Buffer) => void;
  /** The interface is missing or down. */
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

  /** ECONNREFUSED means that the peer does not listen yet: the interface is fine. */
  #failed(error: NodeJS.ErrnoException): void {
    if (this.#open && error.code !== "ECONNREFUSED") this.#events.onError(error);
  }
}
