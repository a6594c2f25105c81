/**
 * The coordinator's state on disk: a snapshot and the messages after it. A start and a reorganisation fold only those,
 * however many years the journal holds. The snapshot is a cache: one that is missing, of another version or unreadable
 * costs a fold of all messages and nothing else.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { deserialize, serialize } from "node:v8";
import { type Journal, journalCorrupt, type StoredMessage } from "../journal/journal.ts";
import { parseMessage } from "./message-schema.ts";
import type { Message } from "./messages.ts";
import { emptyWorld, fold, type World } from "./reduce.ts";

/** The reducer and every file that it takes values from. */
export const REDUCER_SOURCES = [
  "./reduce.ts",
  "./mesh.ts",
  "../auction/clearing.ts",
  "../model/arithmetic.ts",
  "../model/market.ts",
] as const;
/** Names the reducer by its sources: a snapshot that another one made is not read. */
export const WRITER = createHash("sha256")
  .update(REDUCER_SOURCES.map((file) => readFileSync(new URL(file, import.meta.url), "utf8")).join())
  .digest("hex");
/** Messages after the newest snapshot from which a new one is made. */
export const SNAPSHOT_MESSAGES = 2_000;

type Store = Pick<Journal, "messages" | "snapshot" | "saveSnapshot">;

/**
 * Folds what the journal holds; saves a snapshot where many messages were folded.
 * @param warn is told why a snapshot could not be saved, e.g. on a full disk
 * @throws EphemeshError JOURNAL_CORRUPT
 */
export function loadWorld(journal: Store, warn: (error: unknown) => void): World {
  const snapshot = journal.snapshot(WRITER);
  const base = snapshot && worldOf(snapshot.body);
  const rest = journal.messages(base ? snapshot.sequence : 0);
  const world = fold(base ?? emptyWorld, rest.map(messageOf));
  const last = rest.at(-1)?.sequence;
  if (last !== undefined && rest.length >= SNAPSHOT_MESSAGES)
    try {
      journal.saveSnapshot({ sequence: last, writer: WRITER, body: serialize(world) });
    } catch (error) {
      warn(error);
    }
  return world;
}

/**
 * For an agent that runs: saves a snapshot of what is in the journal, not of the running world, since blocks may be in
 * the journal that are not in that world yet. A failure is only a warning.
 */
export function refreshSnapshot(journal: Store, warn: (error: unknown) => void): void {
  try {
    loadWorld(journal, warn);
  } catch (error) {
    warn(error);
  }
}

function worldOf(body: Uint8Array): World | null {
  try {
    return deserialize(body) as World;
  } catch {
    return null;
  }
}

/** A message of the journal, checked. @throws EphemeshError JOURNAL_CORRUPT */
export function messageOf({ sequence, body }: StoredMessage): Message {
  const message = parseMessage(body);
  if ("problem" in message) throw journalCorrupt(`message ${sequence}: ${message.problem}`);
  return message;
}
