/**
 * Brings a journal of an earlier version to this one. `MIGRATIONS[n]` leads from version n to version n + 1; all steps
 * run in one transaction, after a copy of the file was kept beside it. A step never changes once it was released.
 */
import type { DatabaseSync } from "node:sqlite";
import { JOURNAL_VERSION } from "./schema.ts";

export const MIGRATIONS: readonly ((db: DatabaseSync) => void)[] = [toVersion1];

/** Runs the steps from `version` on. The caller holds the transaction. */
export function migrate(db: DatabaseSync, version: number): void {
  for (const step of MIGRATIONS.slice(version)) step(db);
  // Made of messages in their former form.
  db.exec("DELETE FROM snapshots");
  db.exec(`PRAGMA user_version = ${JOURNAL_VERSION}`);
}

/**
 * The event of a transaction that opens an auction gets a column of its own, snapshots a table; reasons have one name in
 * all messages, and an event that is given up is abandoned.
 */
function toVersion1(db: DatabaseSync): void {
  db.exec(`
    ALTER TABLE transactions ADD COLUMN event TEXT;
    CREATE TABLE snapshots (sequence INTEGER PRIMARY KEY, block INTEGER NOT NULL, writer TEXT NOT NULL, body BLOB NOT NULL) STRICT;
  `);
  const setEvent = db.prepare("UPDATE transactions SET event = ? WHERE purpose = ?");
  for (const { purpose } of db.prepare("SELECT purpose FROM transactions WHERE purpose LIKE 'open:%'").all())
    setEvent.run(/^open:(.+):\d+$/.exec(String(purpose))?.[1] ?? null, String(purpose));
  changeMessages(db, "EventTriggered", ({ event, ...message }) => ({
    ...message,
    event: renamed(event as Body, "cause", "reason"),
  }));
  changeMessages(db, "OrderPrepared", ({ order, ...message }) => ({
    ...message,
    order: renamed(order as Body, "because", "reasons"),
  }));
  changeMessages(db, "EventFailed", (message) => ({ ...message, type: "EventAbandoned" }));
  // Signed in a form that no agent accepts any more: the opener, or its successor, publishes again.
  db.exec("DELETE FROM messages WHERE json_extract(body, '$.type') = 'TopologyPublished'");
  // Its constants had other names, and one is new; the next start reads it from the chain.
  db.exec("DELETE FROM register");
}

type Body = { readonly [key: string]: unknown };

function changeMessages(db: DatabaseSync, type: string, change: (body: Body) => Body): void {
  const update = db.prepare("UPDATE messages SET body = ? WHERE sequence = ?");
  const rows = db.prepare("SELECT sequence, body FROM messages WHERE json_extract(body, '$.type') = ?").all(type);
  for (const { sequence, body } of rows) update.run(JSON.stringify(change(JSON.parse(String(body)))), Number(sequence));
}

function renamed(body: Body, from: string, to: string): Body {
  const { [from]: value, ...rest } = body;
  return { ...rest, [to]: value };
}
