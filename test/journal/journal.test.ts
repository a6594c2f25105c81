import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { execa } from "execa";
import { Journal } from "../../agent/journal/journal.ts";
import { regionId } from "../../agent/model/ids.ts";
import type { Register } from "../../agent/model/register.ts";

const fresh = () => join(mkdtempSync(join(tmpdir(), "ephemesh-")), "journal.sqlite");

describe("journal", () => {
  it("gives back what was appended, in order, with exact amounts, after it was closed", () => {
    const file = fresh();
    const journal = Journal.open(file);
    journal.append({ type: "A", bond: 2n ** 63n });
    journal.append({ type: "B" });
    journal.close();
    assert.deepEqual(
      Journal.open(file)
        .messages()
        .map((m) => m.body),
      [{ type: "A", bond: 2n ** 63n }, { type: "B" }],
    );
  });

  it("is readable by its owner alone: it holds salts", () => {
    const file = fresh();
    Journal.open(file).close();
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it("a reorganisation takes back the messages of the lost blocks and the cursor, and nothing of our own", () => {
    const journal = Journal.open(fresh());
    journal.appendBlocks([{ block: 5, body: "five" }], [{ blockNumber: 5, blockHash: "0x5" }]);
    journal.append("ours");
    journal.appendBlocks([{ block: 7, body: "seven" }], [{ blockNumber: 7, blockHash: "0x7" }]);
    journal.rewindTo(6);
    assert.deepEqual(
      journal.messages().map((m) => m.body),
      ["five", "ours"],
    );
    assert.deepEqual(journal.cursor(), { blockNumber: 5, blockHash: "0x5" });
  });

  it("gives the messages of one type, and none past one that is not JSON", () => {
    const file = fresh();
    const journal = Journal.open(file);
    for (const body of [{ type: "A", n: 1n }, { type: "B" }, "A", { type: "A", n: 2n }]) journal.append(body);
    assert.deepEqual(journal.messagesOfType("A"), [
      { sequence: 1, body: { type: "A", n: 1n } },
      { sequence: 4, body: { type: "A", n: 2n } },
    ]);
    new DatabaseSync(file).prepare("INSERT INTO messages (body) VALUES (?)").run('{"type":');
    assert.throws(() => journal.messagesOfType("A"), { code: "JOURNAL_CORRUPT", message: /message 5 / });
  });

  it("gives back the register, or none where it is damaged: it can be read from the chain again", () => {
    const file = fresh();
    const journal = Journal.open(file);
    const id = regionId.parse(1);
    const register: Register = {
      self: id,
      constants: { clearBlocks: 1, minBond: 2n ** 70n, maxCosine: 1, urgentBlocks: 6, normalBlocks: 15 },
      regions: new Map([
        [
          id,
          {
            ...{ id, name: "one", organisation: 1, treasury: "0x01", agentKey: "0x02", routingKey: "0x03" },
            ...{
              place: { x: 0, y: 0, z: 1e9 },
              prefixes: ["10.1.0.0/16"],
              fabrics: ["ix"],
              attributes: ["postQuantum"],
            },
            ...{ controlUrls: ["http://192.0.2.1:7357"], active: true },
          },
        ],
      ]),
      fabrics: ["ix"],
    };
    assert.equal(journal.register(), null);
    journal.keepRegister(register);
    assert.deepEqual(journal.register(), register);
    const db = new DatabaseSync(file);
    const kept = String(db.prepare("SELECT body FROM register").get()?.body);
    for (const damaged of [kept.slice(0, 40), kept.replace('"self":1', '"self":"one"'), "null"]) {
      db.prepare("UPDATE register SET body = ?").run(damaged);
      assert.equal(journal.register(), null, damaged);
    }
  });

  it("refuses to be used for another region or deployment", () => {
    const journal = Journal.open(fresh());
    journal.bindIdentity("region", "eu-central-1");
    journal.bindIdentity("region", "eu-central-1");
    assert.throws(() => journal.bindIdentity("region", "us-east-1"), { code: "JOURNAL_FOREIGN" });
  });

  it("says what it is when it cannot be opened", () =>
    assert.throws(() => Journal.open("/proc/no/journal.sqlite"), { code: "JOURNAL_UNUSABLE" }));

  it("INV-12: on a full disk a write is refused by name, what was acknowledged stays, and it goes on once there is space", async function () {
    this.timeout(60_000);
    const folder = mkdtempSync(join(tmpdir(), "ephemesh-full-"));
    const writer = `import { rmSync, writeFileSync } from "node:fs";
      import { Journal } from ${JSON.stringify(new URL("../../agent/journal/journal.ts", import.meta.url).href)};
      const folder = process.argv[1];
      const journal = Journal.open(folder + "/journal.sqlite");
      const ballast = folder + "/ballast";
      writeFileSync(ballast, Buffer.alloc(128 * 1024));
      let written = 0, code = null;
      while (code === null && written < 10_000) {
        try { journal.append({ i: written, salt: "x".repeat(1000) }); written++; } catch (error) { code = error.code; }
      }
      const kept = journal.messages().length;
      rmSync(ballast);
      journal.append({ i: written });
      console.log(JSON.stringify({ code, written, kept, after: journal.messages().length }));`;
    // A disk of 1 MB that nobody else sees.
    const { stdout } = await execa("unshare", [
      ...(process.getuid?.() === 0 ? ["--mount"] : ["--map-root-user", "--mount"]),
      "sh",
      "-c",
      'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"',
      folder,
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      "--input-type=module",
      "-e",
      writer,
      folder,
    ]);
    const { code, written, kept, after } = JSON.parse(stdout);
    assert.equal(code, "JOURNAL_DISK_FULL");
    assert.ok(written > 0);
    assert.deepEqual([kept, after], [written, written + 1]);
  });

  it("INV-12: whatever was acknowledged before a SIGKILL is there afterwards", async function () {
    this.timeout(60_000);
    const file = fresh();
    const writer = `import { Journal } from ${JSON.stringify(new URL("../../agent/journal/journal.ts", import.meta.url).href)};
      const journal = Journal.open(process.argv[1]); for (let i = 0; ; i++) { journal.append({ i }); console.log(i); }`;
    let acknowledged = -1;
    for (let round = 0; round < 3; round++) {
      const child = spawn(
        process.execPath,
        ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", writer, file],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      const lines = createInterface({ input: child.stdout });
      let inRound = 0;
      for await (const line of lines) {
        acknowledged = Number(line);
        if (++inRound === 40) child.kill("SIGKILL");
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      const journal = Journal.open(file);
      const rows = journal.messages().map((m) => (m.body as { i: number }).i);
      journal.close();
      assert.ok(rows.lastIndexOf(acknowledged) >= 0, `row ${acknowledged} of round ${round} is missing`);
      assert.deepEqual(
        rows.slice(rows.lastIndexOf(0)),
        Array.from({ length: rows.length - rows.lastIndexOf(0) }, (_, i) => i),
      );
    }
  });
});
