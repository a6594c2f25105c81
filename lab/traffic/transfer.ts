/**
 * Sends a file from host to host by HTTP PUT; the receiver checks its digest.
 *   node lab/traffic/transfer.ts receive PORT             prints `listening`, then a JSON line every 100 ms and one at the end
 *   node lab/traffic/transfer.ts send FILE ADDRESS PORT   prints the receiver's answer
 * Rates are those of the receiver, not of what the sender's kernel accepted.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, type IncomingMessage, request } from "node:http";
import { pipeline } from "node:stream/promises";
import { EphemeshError } from "../../agent/model/errors.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import type { Lab } from "../lab.ts";
import { hostAddress } from "../layout/addressing.ts";
import { hostOf } from "../layout/place.ts";
import { regionIndex } from "../layout/topology.ts";
import type { LabProcess } from "../process/lab-process.ts";

const SELF = new URL(import.meta.url).pathname;
const PROGRESS_MILLIS = 100;
/** RFC 9530: the digest of the whole file. */
const DIGEST_HEADER = "repr-digest";

/** Bytes received at a time (CLOCK_MONOTONIC). */
export interface Progress {
  readonly atMillis: number;
  readonly bytes: number;
}

export interface TransferResult {
  readonly bytes: number;
  readonly sha256: string;
  readonly digestMatches: boolean;
  readonly startedMillis: number;
  readonly endedMillis: number;
}

interface Waiter {
  readonly bytes: number;
  readonly resolve: () => void;
}

export class Transfer {
  readonly progress: readonly Progress[];
  readonly done: Promise<TransferResult>;
  readonly #waiting: Set<Waiter>;
  readonly #processes: readonly LabProcess[];

  private constructor(
    progress: readonly Progress[],
    done: Promise<TransferResult>,
    waiting: Set<Waiter>,
    processes: readonly LabProcess[],
  ) {
    this.progress = progress;
    this.done = done;
    this.#waiting = waiting;
    this.#processes = processes;
  }

  static async start(
    lab: Lab,
    options: {
      readonly from: string;
      readonly to: string;
      readonly file: string;
      readonly port?: number;
      readonly keepAs?: string;
    },
  ): Promise<Transfer> {
    const port = String(options.port ?? 8080);
    const address = hostAddress(regionIndex(lab.topology, options.to)).ipv4;
    const keep = options.keepAs === undefined ? [] : [options.keepAs];
    const receiver = lab.spawnIn(hostOf(options.to), [process.execPath, SELF, "receive", port, ...keep]);
    await receiver.line(/listening/);
    const progress: Progress[] = [];
    const result = receiver.line(/"sha256"/).then((line) => JSON.parse(line) as TransferResult);
    const waiting = new Set<Waiter>();
    receiver.onLine((line) => {
      const report = JSON.parse(line) as Progress | TransferResult;
      if (!("atMillis" in report)) return;
      progress.push(report);
      for (const waiter of waiting) if (report.bytes >= waiter.bytes && waiting.delete(waiter)) waiter.resolve();
    });
    const sender = lab.spawnIn(hostOf(options.from), [process.execPath, SELF, "send", options.file, address, port]);
    const failed = sender.exited.then(async (status): Promise<TransferResult> => {
      if (status.exitCode === 0) return result;
      throw new EphemeshError(
        "TRANSFER_FAILED",
        `The transfer failed: ${status.stderr}`,
        "Check the path between the hosts.",
      );
    });
    const done = Promise.race([result, failed]).finally(() => receiver.stop());
    done.catch(() => undefined);
    return new Transfer(progress, done, waiting, [sender, receiver]);
  }

  /** Resolves when the receiver has `bytes`; rejects if the transfer fails before. @throws EphemeshError TRANSFER_FAILED */
  async reached(bytes: number): Promise<void> {
    if ((this.progress.at(-1)?.bytes ?? 0) >= bytes) return;
    await Promise.race([this.done, new Promise<void>((resolve) => this.#waiting.add({ bytes, resolve }))]);
  }

  /** Average rate at the receiver, in Mbit/s, over a window of CLOCK_MONOTONIC. */
  rateMbps(fromMillis = Number.NEGATIVE_INFINITY, toMillis = Number.POSITIVE_INFINITY): number {
    return averageMbps(this.progress, fromMillis, toMillis);
  }

  async abort(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop()));
  }
}

/** Mbit/s from the first to the last report inside the window; 0 if it has less than two. */
export function averageMbps(progress: readonly Progress[], fromMillis: number, toMillis: number): number {
  const inside = progress.filter(({ atMillis }) => atMillis >= fromMillis && atMillis <= toMillis);
  const [first, last] = [inside[0], inside.at(-1)];
  if (!first || !last || last.atMillis <= first.atMillis) return 0;
  return ((last.bytes - first.bytes) * 8) / (last.atMillis - first.atMillis) / 1000;
}

/** Averages over consecutive periods from the first report on, in Mbit/s; a last one that is not whole is left out. */
export function ratesMbps(progress: readonly Progress[], periodMillis: number): number[] {
  const from = progress[0]?.atMillis ?? 0;
  const periods = Math.floor(((progress.at(-1)?.atMillis ?? from) - from) / periodMillis);
  return Array.from({ length: periods }, (_, i) =>
    averageMbps(progress, from + i * periodMillis, from + (i + 1) * periodMillis),
  );
}

async function receive(port: number, keepAs: string | undefined): Promise<void> {
  const print = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
  const server = createServer((incoming, response) => {
    void take(incoming, keepAs, print).then(
      (result) => {
        print(result);
        response.writeHead(result.digestMatches ? 200 : 422).end(JSON.stringify(result));
      },
      // The sender closed the connection early.
      () => response.destroy(),
    );
  });
  server.listen(port, "::");
  await once(server, "listening");
  process.stdout.write("listening\n");
}

async function take(
  incoming: IncomingMessage,
  keepAs: string | undefined,
  print: (progress: Progress) => void,
): Promise<TransferResult> {
  const startedMillis = monotonicMillis();
  const hash = createHash("sha256");
  let bytes = 0;
  const report = () => print({ atMillis: monotonicMillis(), bytes });
  report();
  const timer = setInterval(report, PROGRESS_MILLIS);
  const counted = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      hash.update(chunk);
      if (keepAs !== undefined) yield chunk;
    }
  };
  try {
    await pipeline(incoming, counted, createWriteStream(keepAs ?? "/dev/null"));
  } finally {
    clearInterval(timer);
  }
  report();
  const sha256 = hash.digest("hex");
  const announced = /sha-256=:([^:]+):/.exec(String(incoming.headers[DIGEST_HEADER]))?.[1] ?? "";
  const digestMatches = Buffer.from(announced, "base64").toString("hex") === sha256;
  return { bytes, sha256, digestMatches, startedMillis, endedMillis: monotonicMillis() };
}

async function send(file: string, address: string, port: number): Promise<void> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  const { size } = await stat(file);
  const outgoing = request({
    host: address,
    port,
    method: "PUT",
    path: "/",
    headers: { "content-length": size, [DIGEST_HEADER]: `sha-256=:${hash.digest("base64")}:` },
  });
  const answered = once(outgoing, "response") as Promise<[IncomingMessage]>;
  await Promise.all([pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), outgoing), answered]);
  const [response] = await answered;
  for await (const chunk of response) process.stdout.write(chunk as Buffer);
  process.stdout.write("\n");
}

if (import.meta.main) {
  const [mode, ...args] = process.argv.slice(2);
  if (mode === "receive") await receive(Number(args[0]), args[1]);
  else if (mode === "send") await send(args[0] ?? "", args[1] ?? "", Number(args[2]));
  else process.exitCode = 2;
}
