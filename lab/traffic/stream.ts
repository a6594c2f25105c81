/**
 * A stream of small UDP packets from host to host, to measure interruptions from outside.
 *   node lab/traffic/stream.ts receive PORT                       prints `listening`, then one JSON arrival a line
 *   node lab/traffic/stream.ts send ADDRESS PORT INTERVAL_MILLIS  prints its start time, and at SIGTERM how many packets it sent
 */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIpv6 } from "../../agent/model/address.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import type { Lab } from "../lab.ts";
import { hostAddress } from "../layout/addressing.ts";
import { hostOf } from "../layout/place.ts";
import { regionIndex } from "../layout/topology.ts";
import type { LabProcess } from "../process/lab-process.ts";
import type { Arrival, StreamRecord } from "./arrivals.ts";

const SELF = new URL(import.meta.url).pathname;
/** The size of a voice packet; bytes 0–7 are the number, 8–15 the sending time. */
const PACKET_BYTES = 172;

export interface StreamOptions {
  readonly from: string;
  readonly to: string;
  readonly intervalMillis?: number;
  readonly port?: number;
  readonly family?: "ipv4" | "ipv6";
}

export class Stream {
  readonly #intervalMillis: number;
  readonly #arrivals: Arrival[] = [];
  readonly #sender: LabProcess;
  readonly #receiver: LabProcess;
  #startMillis = 0;
  #sent = 0;
  #wake: (() => void) | undefined;

  private constructor(intervalMillis: number, sender: LabProcess, receiver: LabProcess) {
    this.#intervalMillis = intervalMillis;
    this.#sender = sender;
    this.#receiver = receiver;
  }

  static async start(lab: Lab, options: StreamOptions): Promise<Stream> {
    const intervalMillis = options.intervalMillis ?? 20;
    const port = String(options.port ?? 7000);
    const address = hostAddress(regionIndex(lab.topology, options.to))[options.family ?? "ipv4"];
    const receiver = lab.spawnIn(hostOf(options.to), [process.execPath, SELF, "receive", port]);
    await receiver.line(/listening/);
    const sender = lab.spawnIn(hostOf(options.from), [
      process.execPath,
      SELF,
      "send",
      address,
      port,
      String(intervalMillis),
    ]);
    const stream = new Stream(intervalMillis, sender, receiver);
    receiver.onLine((line) => {
      stream.#arrivals.push(JSON.parse(line) as Arrival);
      stream.#wake?.();
    });
    stream.#startMillis = (JSON.parse(await sender.line(/startMillis/)) as { startMillis: number }).startMillis;
    return stream;
  }

  /** The first packet that arrives at or after a time; absent: now. */
  async arrival(sinceMillis = monotonicMillis()): Promise<Arrival> {
    for (;;) {
      const found = this.#arrivals.find((arrival) => arrival.receivedMillis >= sinceMillis);
      if (found) return found;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The first arrival of a packet that was sent at or after a time. */
  async arrivalOf(sentMillis: number): Promise<Arrival> {
    for (;;) {
      const found = this.#arrivals.find((arrival) => arrival.sentMillis >= sentMillis);
      if (found) return found;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** All arrivals until now; packets in flight count as sent. */
  record(): StreamRecord {
    const sent = this.#sent || Math.floor((monotonicMillis() - this.#startMillis) / this.#intervalMillis);
    return {
      startMillis: this.#startMillis,
      intervalMillis: this.#intervalMillis,
      sent,
      arrivals: [...this.#arrivals],
    };
  }

  /** Ends the stream, and waits up to `drainMillis` for packets in flight. */
  async stop(drainMillis = 500): Promise<StreamRecord> {
    const count = this.#sender.line(/"sent"/);
    const ended = this.#sender.stop();
    this.#sent = (JSON.parse(await count) as { sent: number }).sent;
    await ended;
    const last = () => this.#arrivals.some((arrival) => arrival.sequence === this.#sent - 1);
    for (const deadline = monotonicMillis() + drainMillis; !last() && monotonicMillis() < deadline; ) {
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
        new Promise<void>((resolve) => setTimeout(resolve, deadline - monotonicMillis())),
      ]);
    }
    await this.#receiver.stop();
    return this.record();
  }
}

async function receive(port: number): Promise<void> {
  const socket = createSocket({ type: "udp6" });
  socket.on("message", (packet) => {
    const receivedMillis = monotonicMillis();
    const sentMillis = Number(packet.readBigUInt64BE(8)) / 1000;
    process.stdout.write(
      `${JSON.stringify({ sequence: Number(packet.readBigUInt64BE(0)), sentMillis, receivedMillis })}\n`,
    );
  });
  // One socket for both families: IPv4 addresses are mapped.
  socket.bind(port, "::");
  await once(socket, "listening");
  process.stdout.write("listening\n");
}

async function send(address: string, port: number, intervalMillis: number): Promise<void> {
  const socket = createSocket(isIpv6(address) ? "udp6" : "udp4");
  socket.connect(port, address);
  await once(socket, "connect");
  // Missing routes and refusals are part of what is measured.
  socket.on("error", () => undefined);
  const startMillis = monotonicMillis();
  let sent = 0;
  process.stdout.write(`${JSON.stringify({ startMillis })}\n`);
  let timer: NodeJS.Timeout;
  const next = () => {
    const packet = Buffer.alloc(PACKET_BYTES);
    packet.writeBigUInt64BE(BigInt(sent++), 0);
    packet.writeBigUInt64BE(process.hrtime.bigint() / 1000n, 8);
    socket.send(packet, () => undefined);
    // Packet k is due at start + k intervals, so that times do not drift.
    timer = setTimeout(next, Math.max(0, startMillis + sent * intervalMillis - monotonicMillis()));
  };
  process.once("SIGTERM", () => {
    clearTimeout(timer);
    process.stdout.write(`${JSON.stringify({ sent })}\n`, () => process.exit(0));
  });
  next();
}

if (import.meta.main) {
  const [mode, ...args] = process.argv.slice(2);
  if (mode === "receive") await receive(Number(args[0]));
  else if (mode === "send") await send(args[0] ?? "", Number(args[1]), Number(args[2]));
  else process.exitCode = 2;
}
