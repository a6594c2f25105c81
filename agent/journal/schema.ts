/**
 * The format of the journal's file. `PRAGMA user_version` holds the version; migrations.ts leads from each version to
 * the next one.
 *
 * | table        | holds                                                                                          |
 * |--------------|------------------------------------------------------------------------------------------------|
 * | messages     | the facts that the coordinator folds, in order; those from the chain with their block          |
 * | snapshots    | the state that the messages up to a sequence number fold to; can be made again at any time     |
 * | blocks       | hashes of the last blocks that were read, newest = the cursor                                  |
 * | transactions | each signed transaction by its purpose; `event` where it opens an auction                      |
 * | clock        | where seconds of the chain are on CLOCK_MONOTONIC, by boot of the machine                      |
 * | register     | the consortium's register as it was read last                                                  |
 * | identity     | chain and region that the journal belongs to                                                   |
 */
export const JOURNAL_VERSION = 1;

export const SCHEMA = `
  CREATE TABLE messages (sequence INTEGER PRIMARY KEY AUTOINCREMENT, block INTEGER, body TEXT NOT NULL) STRICT;
  CREATE INDEX messages_by_block ON messages (block) WHERE block IS NOT NULL;
  CREATE TABLE snapshots (sequence INTEGER PRIMARY KEY, block INTEGER NOT NULL, writer TEXT NOT NULL, body BLOB NOT NULL) STRICT;
  CREATE TABLE blocks (number INTEGER PRIMARY KEY, hash TEXT NOT NULL) STRICT;
  CREATE TABLE transactions (purpose TEXT PRIMARY KEY, nonce INTEGER NOT NULL, hash TEXT NOT NULL, raw TEXT NOT NULL, status TEXT NOT NULL, block INTEGER, event TEXT) STRICT;
  CREATE TABLE clock (boot TEXT NOT NULL, second INTEGER NOT NULL, monotonic REAL NOT NULL, PRIMARY KEY (boot, second)) STRICT;
  CREATE TABLE register (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL) STRICT;
  CREATE TABLE identity (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`;
