import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { toHex } from "viem";
import { BundleWriter, readBundle } from "../../agent/cli/bundle.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import type { AuditRecord } from "../../agent/reputation/record.ts";

const statements: readonly AuditRecord[] = [
  ...Array.from({ length: 100 }, (_, i): AuditRecord => {
    const bytes = Uint8Array.from({ length: 3_000 }, (__, at) => (at * i * 7919) % 256);
    return { kind: "block", hash: toHex(i, { size: 32 }), header: bytes, receipts: i % 2 ? [bytes, bytes] : null };
  }),
  { kind: "end" },
];
const inHex = (said: AuditRecord): unknown =>
  said.kind === "block" ? [said.hash, toHex(said.header), said.receipts?.map((r) => toHex(r)) ?? null] : said;

describe("cli/bundle", () => {
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-bundle-"));
  const file = join(folder, "bundle");
  after(() => rmSync(folder, { recursive: true }));

  async function read(): Promise<{ said: AuditRecord[]; broken: string[] }> {
    const [said, broken]: [AuditRecord[], string[]] = [[], []];
    const take = async (statement: AuditRecord) => void said.push(statement);
    await readBundle(file, take, (where) => broken.push(where));
    return { said, broken };
  }

  it("is read as it was written", async () => {
    const writer = new BundleWriter(file);
    for (const statement of statements) await writer.add(statement);
    await writer.close();
    const { said, broken } = await read();
    assert.deepEqual(broken, []);
    assert.deepEqual(said.map(inHex), statements.map(inHex));
  });

  it("a file that is cut off or damaged is named by the line where it ends", async () => {
    const whole = readFileSync(file);
    writeFileSync(file, whole.subarray(0, whole.length / 2));
    const half = await read();
    assert.match(half.broken.join(), /^line \d+ of the bundle$/);
    assert.ok(half.said.length < statements.length);
    writeFileSync(file, "no archive");
    assert.deepEqual((await read()).broken, ["line 0 of the bundle"]);
    writeFileSync(file, gzipSync('{"kind":"end"}\nnonsense\n{"kind":"end"}\n'));
    assert.deepEqual(await read(), { said: [{ kind: "end" }], broken: ["line 2 of the bundle"] });
  });

  it("a file that is not there, a folder that is not, or one in a file's place, is said so", async () => {
    const coded = (code: string) => (error: unknown) => error instanceof EphemeshError && error.code === code;
    await assert.rejects(
      readBundle(
        folder,
        async () => undefined,
        () => undefined,
      ),
      coded("BUNDLE_UNREADABLE"),
    );
    await assert.rejects(
      readBundle(
        join(folder, "none"),
        async () => undefined,
        () => undefined,
      ),
      coded("BUNDLE_UNREADABLE"),
    );
    const writer = new BundleWriter(join(folder, "none", "bundle"));
    await assert.rejects(writer.close(), coded("BUNDLE_UNWRITABLE"));
  });
});
