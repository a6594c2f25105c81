import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseMessage } from "../../agent/coordinator/message-schema.ts";
import { loadWorld } from "../../agent/coordinator/world-store.ts";
import { Journal } from "../../agent/journal/journal.ts";
import { MIGRATIONS } from "../../agent/journal/migrations.ts";
import { JOURNAL_VERSION } from "../../agent/journal/schema.ts";
import type { EphemeshError } from "../../agent/model/errors.ts";

const fixture = (version: number) => new URL(`./fixtures/version-${version}.sqlite`, import.meta.url).pathname;
const freshFile = () => join(mkdtempSync(join(tmpdir(), "ephemesh-")), "journal.sqlite");

function copyOf(version: number): string {
  const file = freshFile();
  copyFileSync(fixture(version), file);
  return file;
}

function opening(file: string): EphemeshError {
  try {
    Journal.open(file).close();
  } catch (error) {
    return error as EphemeshError;
  }
  throw new assert.AssertionError({ message: "the journal opened" });
}

describe("the journal's format", () => {
  it("every earlier version has a migration and a stored file of it", () => {
    assert.equal(MIGRATIONS.length, JOURNAL_VERSION);
    for (let version = 0; version < JOURNAL_VERSION; version++) assert.ok(existsSync(fixture(version)), `${version}`);
  });

  it("a stored file of version 0 is migrated: every message passes today's schemas", () => {
    const journal = Journal.open(copyOf(0));
    const messages = journal.messages().map(({ body }) => parseMessage(body));
    assert.deepEqual(
      messages.flatMap((message) => ("problem" in message ? message.problem : [])),
      [],
    );
    assert.equal(new Set(messages.map((message) => "type" in message && message.type)).size, 22);
    const mesh = loadWorld(journal, () => assert.fail()).meshes.get("e1");
    assert.equal(mesh?.topology, null, "its former signature is accepted nowhere");
    assert.equal(mesh?.event?.reason, "webhook /v1/triggers/rollout");
    const order = mesh?.auctions[0]?.order;
    assert.ok(order && "reasons" in order);
    assert.deepEqual([order.reasons.length, order.bond], [2, 2000n]);
    assert.equal(mesh?.receipts.get(mesh.auctions[0]!.leases[0]!.id)?.receipt.bytesToSeller, 2n ** 40n);
    assert.match(loadWorld(journal, () => assert.fail()).meshes.get("e2")?.abandoned ?? "", /buys nothing/);
  });

  it("a register of version 0 goes: its constants had other names, and the next start reads it again", () => {
    const file = copyOf(0);
    const db = new DatabaseSync(file);
    db.exec(`INSERT INTO register (one, body) VALUES (1, '{"constants":{"widestCosine":1},"regions":[]}')`);
    db.close();
    assert.equal(Journal.open(file).register(), null);
  });

  it("the event of a transaction that opens an auction is a column, also of a migrated transaction whose event's name has a colon", () => {
    const journal = Journal.open(copyOf(0));
    const event = (purpose: string) => journal.transaction(purpose)?.event;
    assert.deepEqual([event("open:e1:0"), event("open:e:3:1"), event("commit:7")], ["e1", "e:3", null]);
    assert.equal(journal.transactionByHash(`0x${(100).toString(16).padStart(64, "0")}`)?.event, "e1");
  });

  it("a migration keeps the former file beside the new one, for its owner alone", () => {
    const file = copyOf(0);
    Journal.open(file).close();
    const copy = `${file}.version-0`;
    assert.equal(statSync(copy).mode & 0o777, 0o600);
    const db = new DatabaseSync(copy);
    assert.equal(db.prepare("PRAGMA user_version").get()?.user_version, 0);
    assert.equal(db.prepare("SELECT count(*) AS n FROM messages").get()?.n, 27);
    db.close();
  });

  it("a migration that fails leaves the file as it was", () => {
    const file = copyOf(0);
    const db = new DatabaseSync(file);
    db.prepare("INSERT INTO messages (body) VALUES (?)").run('{"type":"EventTriggered"}');
    db.close();
    assert.equal(opening(file).code, "JOURNAL_CORRUPT");
    const after = new DatabaseSync(file);
    assert.equal(after.prepare("PRAGMA user_version").get()?.user_version, 0);
    assert.ok(
      !after
        .prepare("SELECT name FROM pragma_table_info('transactions')")
        .all()
        .some((c) => c.name === "event"),
    );
    after.close();
  });

  it("a file of a newer version is refused and not changed", () => {
    const file = freshFile();
    Journal.open(file).close();
    const db = new DatabaseSync(file);
    db.exec(`PRAGMA user_version = ${JOURNAL_VERSION + 1}`);
    db.close();
    const before = readFileSync(file);
    const error = opening(file);
    assert.deepEqual([error.code, error.retryable], ["JOURNAL_NEWER", false]);
    assert.deepEqual(readFileSync(file), before);
  });

  for (const [what, damage] of [
    ["that is no database", (file: string) => writeSync(openSync(file, "r+"), Buffer.alloc(100, "x"), 0, 100, 0)],
    ["that was cut", (file: string) => truncateSync(file, 12_288)],
    [
      "whose last page is garbage",
      (file: string) => writeSync(openSync(file, "r+"), Buffer.alloc(4096, 0xa5), 0, 4096, statSync(file).size - 4096),
    ],
  ] as const)
    it(`a file ${what} is named as corrupt, and trying again is useless`, () => {
      const file = copyOf(0);
      damage(file);
      const error = opening(file);
      assert.deepEqual([error.code, error.retryable], ["JOURNAL_CORRUPT", false]);
      assert.ok(!existsSync(`${file}.version-0`));
    });

  for (const [what, body, expected] of [
    ["of an unknown type", '{"type":"Teleported"}', /message 1: the message type "Teleported" is unknown/],
    ["without a field", '{"type":"Draining"}', /message 1: Draining\.draining/],
    ["with a field too many", '{"type":"Draining","draining":true,"x":1}', /message 1: Draining/],
    ["that is no JSON", '{"type":', /message 1 of .* is not JSON/],
    ["that is null", "null", /message 1: the message type "undefined" is unknown/],
  ] as const)
    it(`a message ${what} is named with its number`, () => {
      const file = freshFile();
      Journal.open(file).close();
      const db = new DatabaseSync(file);
      db.prepare("INSERT INTO messages (body) VALUES (?)").run(body);
      db.close();
      const journal = Journal.open(file);
      assert.throws(() => loadWorld(journal, () => assert.fail()), { code: "JOURNAL_CORRUPT", message: expected });
    });
});
