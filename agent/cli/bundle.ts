/** An audit's bundle on disk: one record a line, compressed; written and read as a stream. */
import { once } from "node:events";
import { createReadStream, createWriteStream, statSync } from "node:fs";
import type { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { EphemeshError } from "../model/errors.ts";
import { type AuditRecord, parseRecord, recordLine } from "../reputation/record.ts";

/** Writes an audit's records to a file; `close` completes it. */
export class BundleWriter {
  readonly #file: string;
  readonly #gzip: Transform;
  readonly #written: Promise<void>;

  constructor(file: string) {
    this.#file = file;
    this.#gzip = createGzip({ level: 9 });
    this.#written = pipeline(this.#gzip, createWriteStream(file));
    this.#written.catch(() => undefined);
  }

  /** @throws EphemeshError BUNDLE_UNWRITABLE */
  async add(record: AuditRecord): Promise<void> {
    if (!this.#gzip.destroyed && !this.#gzip.write(recordLine(record)))
      await Promise.race([new Promise((resolve) => this.#gzip.once("drain", resolve)), this.#done()]);
  }

  /** When it resolves, the file is complete. @throws EphemeshError BUNDLE_UNWRITABLE */
  async close(): Promise<void> {
    this.#gzip.end();
    await this.#done();
  }

  async #done(): Promise<void> {
    try {
      await this.#written;
    } catch (cause) {
      throw new EphemeshError(
        "BUNDLE_UNWRITABLE",
        `The bundle ${this.#file} cannot be written: ${(cause as Error).message}.`,
        "Name a file in a writable folder with free space.",
        { cause },
      );
    }
  }
}

/**
 * Passes each record of a bundle to `take`. The first line that is not a record, or cannot be uncompressed, ends
 * this: its number (from 1) goes to `broken`.
 * @throws EphemeshError BUNDLE_UNREADABLE if the file cannot be opened
 */
export async function readBundle(
  file: string,
  take: (record: AuditRecord) => Promise<void>,
  broken: (where: string, cause: unknown) => void,
): Promise<void> {
  const bytes = await opened(file);
  let line = 0;
  try {
    const unpacked = bytes.pipe(createGunzip());
    bytes.once("error", (error) => unpacked.destroy(error));
    for await (const text of linesOf(unpacked)) {
      line++;
      await take(parseRecord(text));
    }
  } catch (cause) {
    broken(`line ${line} of the bundle`, cause);
  } finally {
    bytes.destroy();
  }
}

async function opened(file: string): Promise<Readable> {
  try {
    const bytes = createReadStream(file);
    await once(bytes, "open");
    if (statSync(file).isDirectory()) throw new Error("it is a folder");
    return bytes;
  } catch (cause) {
    throw new EphemeshError(
      "BUNDLE_UNREADABLE",
      `The bundle ${file} cannot be read: ${(cause as Error).message}.`,
      "Name a file that `ephemesh audit --bundle` wrote.",
      { cause },
    );
  }
}

/** Like readline, but errors of the stream are thrown. */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
