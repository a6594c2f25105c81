/**
 * The agent's memory on disk: SQLite in WAL mode with full sync. Write before act: a salt, a signed transaction, a
 * receipt or a chain event is here before anything is done about it, so that a kill at any instant loses none (INV-12).
 *
 * `messages` is what the coordinator folds into its state: facts, in order. Those that came from the chain carry their
 * block, and go again when a reorganisation takes the block away. `cursor` moves in the same transaction as the
 * messages that its blocks caused. Nothing that can be read again (tunnels, routes) is kept here, but for the register:
 * an agent may start while no node of the chain answers.
 */
import { chmodSync, closeSync, existsSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { EphemeshError } from "../model/errors.ts";
import { fromJson, toJson } from "../model/json.ts";
import type { Region } from "../model/region.ts";
import type { Register } from "../model/register.ts";

type KeptRegister = Omit<Register, "regions"> & { readonly regions: readonly Region[] };

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
  /** That has it, where one has. */
  readonly block: number | null;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS messages (sequence INTEGER PRIMARY KEY AUTOINCREMENT, block INTEGER, body TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS messages_by_block ON messages (block) WHERE block IS NOT NULL;
  CREATE TABLE IF NOT EXISTS blocks (number INTEGER PRIMARY KEY, hash TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS transactions (purpose TEXT PRIMARY KEY, nonce INTEGER NOT NULL, hash TEXT NOT NULL, raw TEXT NOT NULL, status TEXT NOT NULL, block INTEGER) STRICT;
  CREATE TABLE IF NOT EXISTS clock (boot TEXT NOT NULL, second INTEGER NOT NULL, monotonic REAL NOT NULL, PRIMARY KEY (boot, second)) STRICT;
  CREATE TABLE IF NOT EXISTS register (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS identity (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;
/** Hashes below the cursor that are kept to find where a reorganised chain forks off. */
const REMEMBERED_BLOCKS = 1024;

export class Journal {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** @throws EphemeshError JOURNAL_UNUSABLE */
  static open(file: string): Journal {
    try {
      if (!existsSync(file)) closeSync(openSync(file, "a", 0o600));
      chmodSync(file, 0o600);
      const db = new DatabaseSync(file);
      db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000;");
      db.exec(SCHEMA);
      return new Journal(db);
    } catch (cause) {
      throw journalError(cause);
    }
  }

  close(): void {
    this.#db.close();
  }

  messages(): StoredMessage[] {
    return this.#db
      .prepare("SELECT sequence, body FROM messages ORDER BY sequence")
      .all()
      .map((row) => ({ sequence: Number(row.sequence), body: fromJson(String(row.body)) }));
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
          "INSERT OR REPLACE INTO transactions (purpose, nonce, hash, raw, status, block) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .run(
          transaction.purpose,
          transaction.nonce,
          transaction.hash,
          transaction.raw,
          transaction.status,
          transaction.block,
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

  /** As it was read last; null: never. */
  register(): Register | null {
    const row = this.#db.prepare("SELECT body FROM register").get();
    if (!row) return null;
    const { regions, ...rest } = fromJson(String(row.body)) as KeptRegister;
    return { ...rest, regions: new Map(regions.map((region) => [region.id, region])) };
  }

  keepRegister({ regions, ...rest }: Register): void {
    const body = toJson({ ...rest, regions: [...regions.values()] } satisfies KeptRegister);
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
      throw journalError(cause);
    }
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
  };
}

function journalError(cause: unknown): EphemeshError {
  if (cause instanceof EphemeshError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const full = /full|disk I\/O|ENOSPC/i.test(message);
  return new EphemeshError(
    full ? "JOURNAL_DISK_FULL" : "JOURNAL_UNUSABLE",
    full
      ? `The journal cannot be written: ${message}. What was about to be done was not done; nothing already written is lost.`
      : `The journal cannot be used: ${message}.`,
    full
      ? "Free space on the file system of stateDir; the agent goes on by itself. Running leases are kept up meanwhile."
      : "Check that stateDir exists and belongs to the agent's user; `ephemesh doctor` looks at both.",
    { retryable: true, cause },
  );
}
