/**
 * The agent's memory on disk: SQLite in WAL mode with full sync. Write before act: a salt, a signed transaction, a
 * receipt or a chain event is here before the agent acts on it, so that a kill at any instant loses none (INV-12).
 *
 * `messages` holds the facts that the coordinator folds into its state, in order. Those from the chain carry their
 * block and are deleted when a reorganisation removes that block. The cursor moves in the same transaction as the
 * messages of its blocks. What can be read again (tunnels, routes) is not kept here, except the register: an agent may
 * start while no node of the chain answers. schema.ts describes the file.
 */
import { chmodSync, closeSync, existsSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { EphemeshError } from "../model/errors.ts";
import { fromJson, toJson } from "../model/json.ts";
import type { Register } from "../model/register.ts";
import { registerFromText, registerToText } from "./kept-register.ts";
import { migrate } from "./migrations.ts";
import { JOURNAL_VERSION, SCHEMA } from "./schema.ts";

export interface StoredMessage {
  readonly sequence: number;
  readonly body: unknown;
}

export interface ChainCursor {
  readonly blockNumber: number;
  readonly blockHash: string;
}

export interface StoredTransaction {
  /** Unique: one purpose is served by one transaction, however often it is asked for. */
  readonly purpose: string;
  readonly nonce: number;
  readonly hash: string;
  readonly raw: string;
  readonly status: "signed" | "mined" | "reverted" | "dropped";
  /** Number of the block that includes it; null: none known. */
  readonly block: number | null;
  /** The event for which it opens an auction; null: it opens none. */
  readonly event: string | null;
}

/** The coordinator's state as of a message, in bytes that only its writer reads. */
export interface Snapshot {
  /** The last message that it contains. */
  readonly sequence: number;
  /** Names the program version that can read `body`. */
  readonly writer: string;
  readonly body: Uint8Array;
}

/** Hashes below the cursor that are kept to find where a reorganised chain forks off. */
const REMEMBERED_BLOCKS = 1024;
/** The newest for a start, the one before it for a reorganisation. */
const MAX_SNAPSHOTS = 2;

/** The open journal. Writes throw EphemeshError JOURNAL_DISK_FULL, JOURNAL_UNUSABLE, and leave it as it was. */
export class Journal {
  readonly #db: DatabaseSync;
  readonly #file: string;

  private constructor(db: DatabaseSync, file: string) {
    this.#db = db;
    this.#file = file;
  }

  /**
   * Opens the file, makes it where there is none, and migrates one of an earlier version. Before a migration the file is
   * copied to `FILE.version-N`.
   * @throws EphemeshError JOURNAL_UNUSABLE, JOURNAL_CORRUPT, JOURNAL_NEWER, JOURNAL_DISK_FULL
   */
  static open(file: string): Journal {
    let db: DatabaseSync | null = null;
    try {
      if (!existsSync(file)) closeSync(openSync(file, "a", 0o600));
      chmodSync(file, 0o600);
      db = new DatabaseSync(file);
      db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000;");
      bringToVersion(db, file);
      return new Journal(db, file);
    } catch (cause) {
      db?.close();
      throw journalError(cause, file);
    }
  }

  close(): void {
    this.#db.close();
  }

  /** The messages after a sequence number, in order; all of them from 0. @throws EphemeshError JOURNAL_CORRUPT */
  messages(afterSequence = 0): StoredMessage[] {
    return this.#db
      .prepare("SELECT sequence, body FROM messages WHERE sequence > ? ORDER BY sequence")
      .all(afterSequence)
      .map((row) => this.#stored(row));
  }

  /** The messages of a type, in order. @throws EphemeshError JOURNAL_CORRUPT, for any message that is not JSON */
  messagesOfType(type: string): StoredMessage[] {
    return this.#db
      .prepare(
        `SELECT sequence, body FROM messages
         WHERE CASE WHEN json_valid(body) THEN json_extract(body, '$.type') = ? ELSE true END ORDER BY sequence`,
      )
      .all(type)
      .map((row) => this.#stored(row));
  }

  /** The newest snapshot that `writer` made; null: all messages have to be folded. */
  snapshot(writer: string): Snapshot | null {
    const row = this.#db
      .prepare("SELECT sequence, body FROM snapshots WHERE writer = ? ORDER BY sequence DESC LIMIT 1")
      .get(writer);
    return row ? { sequence: Number(row.sequence), writer, body: row.body as Uint8Array } : null;
  }

  /** Keeps the newest two. A reorganisation deletes those that contain messages of removed blocks. */
  saveSnapshot({ sequence, writer, body }: Snapshot): void {
    this.#write(() => {
      this.#db
        .prepare(
          `INSERT OR REPLACE INTO snapshots (sequence, block, writer, body)
           VALUES (?1, (SELECT coalesce(max(block), 0) FROM messages WHERE sequence <= ?1), ?2, ?3)`,
        )
        .run(sequence, writer, body);
      this.#db
        .prepare(
          `DELETE FROM snapshots WHERE writer <> ? OR sequence NOT IN
           (SELECT sequence FROM snapshots ORDER BY sequence DESC LIMIT ${MAX_SNAPSHOTS})`,
        )
        .run(writer);
    });
  }

  /** Durable when it returns. */
  append(body: unknown): number {
    return this.#write(() => this.#insert(body, null));
  }

  /** The messages of a range of blocks and the cursor behind it, in one transaction. */
  appendBlocks(messages: readonly { block: number; body: unknown }[], heads: readonly ChainCursor[]): number[] {
    return this.#write(() => {
      const sequences = messages.map(({ block, body }) => this.#insert(body, block));
      const insert = this.#db.prepare("INSERT OR REPLACE INTO blocks (number, hash) VALUES (?, ?)");
      for (const { blockNumber, blockHash } of heads) insert.run(blockNumber, blockHash);
      this.#db.prepare("DELETE FROM blocks WHERE number < (SELECT max(number) FROM blocks) - ?").run(REMEMBERED_BLOCKS);
      return sequences;
    });
  }

  cursor(): ChainCursor | null {
    return this.rememberedBlocks()[0] ?? null;
  }

  /** Known blocks, newest first. */
  rememberedBlocks(): ChainCursor[] {
    return this.#db
      .prepare("SELECT number, hash FROM blocks ORDER BY number DESC")
      .all()
      .map((row) => ({ blockNumber: Number(row.number), blockHash: String(row.hash) }));
  }

  /**
   * A reorganisation: forgets what came from blocks above `blockNumber` and moves the cursor back to it. Transactions of
   * ours that those blocks had are to be sent again, as the same bytes.
   */
  rewindTo(blockNumber: number): void {
    this.#write(() => {
      this.#db.prepare("DELETE FROM messages WHERE block > ?").run(blockNumber);
      this.#db.prepare("DELETE FROM snapshots WHERE block > ?").run(blockNumber);
      this.#db.prepare("DELETE FROM blocks WHERE number > ?").run(blockNumber);
      this.#db.prepare("UPDATE transactions SET status = 'signed', block = NULL WHERE block > ?").run(blockNumber);
    });
  }

  transaction(purpose: string): StoredTransaction | null {
    const row = this.#db.prepare("SELECT * FROM transactions WHERE purpose = ?").get(purpose);
    return row ? toTransaction(row) : null;
  }

  transactionByHash(hash: string): StoredTransaction | null {
    const row = this.#db.prepare("SELECT * FROM transactions WHERE hash = ?").get(hash);
    return row ? toTransaction(row) : null;
  }

  pendingTransactions(): StoredTransaction[] {
    return this.#db
      .prepare("SELECT * FROM transactions WHERE status = 'signed' ORDER BY nonce")
      .all()
      .map(toTransaction);
  }

  saveTransaction(transaction: StoredTransaction): void {
    this.#write(() =>
      this.#db
        .prepare(
          "INSERT OR REPLACE INTO transactions (purpose, nonce, hash, raw, status, block, event) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .run(
          transaction.purpose,
          transaction.nonce,
          transaction.hash,
          transaction.raw,
          transaction.status,
          transaction.block,
          transaction.event,
        ),
    );
  }

  /** Where seconds of the chain were put on CLOCK_MONOTONIC since the machine started. */
  fixedTimes(boot: string): Map<number, number> {
    const rows = this.#db.prepare("SELECT second, monotonic FROM clock WHERE boot = ?").all(boot);
    return new Map(rows.map((row) => [Number(row.second), Number(row.monotonic)]));
  }

  fixTime(boot: string, second: number, monotonicMillis: number): void {
    this.#write(() => {
      this.#db.prepare("DELETE FROM clock WHERE boot <> ?").run(boot);
      this.#db
        .prepare("INSERT OR REPLACE INTO clock (boot, second, monotonic) VALUES (?, ?, ?)")
        .run(boot, second, monotonicMillis);
    });
  }

  /** As it was read last; null: never, or what was kept cannot be read. */
  register(): Register | null {
    const row = this.#db.prepare("SELECT body FROM register").get();
    return row ? registerFromText(String(row.body)) : null;
  }

  keepRegister(register: Register): void {
    const body = registerToText(register);
    this.#write(() => this.#db.prepare("INSERT OR REPLACE INTO register (one, body) VALUES (1, ?)").run(body));
  }

  /** What this journal belongs to (chain, contracts, region): a journal of another deployment is refused, not mixed. */
  bindIdentity(key: string, value: string): void {
    const row = this.#db.prepare("SELECT value FROM identity WHERE key = ?").get(key);
    if (!row) this.#write(() => this.#db.prepare("INSERT INTO identity (key, value) VALUES (?, ?)").run(key, value));
    else if (row.value !== value)
      throw new EphemeshError(
        "JOURNAL_FOREIGN",
        `The journal belongs to ${key} ${row.value}, but the configuration names ${value}. Nothing was changed.`,
        "Give the other deployment or region a stateDir of its own, or correct `chain.deployment` and `region`.",
      );
  }

  #insert(body: unknown, block: number | null): number {
    return Number(
      this.#db.prepare("INSERT INTO messages (block, body) VALUES (?, ?)").run(block, toJson(body)).lastInsertRowid,
    );
  }

  #write<T>(work: () => T): T {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (cause) {
      try {
        this.#db.exec("ROLLBACK");
      } catch {
        // Nothing was begun.
      }
      throw journalError(cause, this.#file);
    }
  }

  #stored(row: Record<string, unknown>): StoredMessage {
    const sequence = Number(row.sequence);
    try {
      return { sequence, body: fromJson(String(row.body)) };
    } catch (cause) {
      throw journalCorrupt(`message ${sequence} of ${this.#file} is not JSON`, cause);
    }
  }
}

/** Makes the tables of a new file; checks an existing one and migrates it in one transaction. */
function bringToVersion(db: DatabaseSync, file: string): void {
  const isNew = db.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()?.tables === 0;
  const version = isNew ? null : Number(db.prepare("PRAGMA user_version").get()?.user_version);
  if (version !== null && version > JOURNAL_VERSION)
    throw new EphemeshError(
      "JOURNAL_NEWER",
      `The journal ${file} has version ${version}; this program reads up to ${JOURNAL_VERSION}. Nothing was changed.`,
      "Start the newer ephemesh that wrote it, or restore the copy that the upgrade left beside it (FILE.version-N).",
    );
  if (!isNew) requireIntact(db, file);
  if (version === JOURNAL_VERSION) return;
  if (version !== null) keepCopy(db, `${file}.version-${version}`);
  db.exec("BEGIN IMMEDIATE");
  try {
    if (version === null) db.exec(`${SCHEMA}; PRAGMA user_version = ${JOURNAL_VERSION}`);
    else migrate(db, version);
    db.exec("COMMIT");
  } catch (cause) {
    db.exec("ROLLBACK");
    if ((cause as { errcode?: number }).errcode !== undefined) throw cause;
    throw journalCorrupt(`${file} cannot be migrated from version ${version}: ${(cause as Error).message}`, cause);
  }
}

/** @throws EphemeshError JOURNAL_CORRUPT */
function requireIntact(db: DatabaseSync, file: string): void {
  const found = String(db.prepare("PRAGMA quick_check(1)").get()?.quick_check);
  if (found !== "ok") throw journalCorrupt(`${file}: ${found}`);
}

function keepCopy(db: DatabaseSync, copy: string): void {
  if (existsSync(copy)) return;
  const previousMask = process.umask(0o077);
  try {
    db.prepare("VACUUM INTO ?").run(copy);
  } finally {
    process.umask(previousMask);
  }
}

function toTransaction(row: Record<string, unknown>): StoredTransaction {
  return {
    purpose: String(row.purpose),
    nonce: Number(row.nonce),
    hash: String(row.hash),
    raw: String(row.raw),
    status: row.status as StoredTransaction["status"],
    block: row.block === null ? null : Number(row.block),
    event: row.event === null ? null : String(row.event),
  };
}

/** What cannot be read; the agent signs nothing on a guess. */
export function journalCorrupt(found: string, cause?: unknown): EphemeshError {
  return new EphemeshError(
    "JOURNAL_CORRUPT",
    `The journal is damaged: ${found}. Nothing was changed or signed.`,
    "Keep the file and its -wal and -shm beside it: it holds salts and receipts. Restore a backup of stateDir, or move the files away to start from the chain alone; docs/OPERATIONS.md says what is lost then.",
    { cause },
  );
}

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const SQLITE = { ioError: 10, corrupt: 11, full: 13, notADatabase: 26 } as const;

function journalError(cause: unknown, file: string): EphemeshError {
  if (cause instanceof EphemeshError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = ((cause as { errcode?: number }).errcode ?? 0) & 0xff;
  if (code === SQLITE.corrupt || code === SQLITE.notADatabase) return journalCorrupt(`${file}: ${message}`, cause);
  if (code === SQLITE.full || code === SQLITE.ioError)
    return new EphemeshError(
      "JOURNAL_DISK_FULL",
      `The journal ${file} cannot be written: ${message}. The step that needed it was not taken; what was written before is kept.`,
      "Free space on the file system of stateDir; the agent continues by itself. Running leases are kept up.",
      { retryable: true, cause },
    );
  return new EphemeshError(
    "JOURNAL_UNUSABLE",
    `The journal ${file} cannot be used: ${message}.`,
    "Check that stateDir exists and belongs to the agent's user; `ephemesh doctor` checks that it exists.",
    { retryable: true, cause },
  );
}
