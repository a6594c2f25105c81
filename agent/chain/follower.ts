/**
 * Reads events in block ranges from a cursor of our own, up to the finality depth. What a range caused is journaled in
 * the same transaction that moves the cursor, so that a crash neither loses nor repeats an event. A changed block hash
 * below the cursor is a reorganisation: the journal goes back to the fork and the chain is read again from there.
 */
import { BlockNotFoundError, type Log, type PublicClient } from "viem";
import type { ChainMessage } from "../auction/facts.ts";
import type { ChainCursor, Journal } from "../journal/journal.ts";
import { monotonicMillis } from "../model/time.ts";
import { type Deployment, rpcError } from "./client.ts";
import type { ChainClock } from "./clock.ts";

export interface Head {
  readonly number: number;
  readonly timestampSeconds: number;
}

export interface ChainProgress {
  /** The last block that was read: the newest less the finality depth. */
  readonly head: Head;
  /** The newest block's number. */
  readonly latestNumber: number;
  readonly messages: readonly ChainMessage[];
  /** The last block that a reorganisation left in place; null: there was none. */
  readonly forkedAt: number | null;
  readonly registerChanged: boolean;
}

interface Latest extends Head {
  readonly hash: string;
  readonly parentHash: string;
  readonly logsBloom: string;
}

/** Nodes limit the blocks of one request. */
const MAX_RANGE_BLOCKS = 500;
const MAX_UNWRITTEN_BLOCKS = 16;
const NOTHING = { messages: [], forkedAt: null, registerChanged: false } as const;

export class ChainFollower {
  readonly #client: PublicClient;
  readonly #deployment: Deployment;
  readonly #journal: Journal;
  readonly #clock: ChainClock;
  readonly #finalityDepth: number;
  readonly #decode: (log: Log) => Promise<ChainMessage | null>;
  #lastSeen = "";
  #cursor: ChainCursor | null = null;
  /** Journaled but not returned yet, since an attempt failed half-way. */
  #unreturned: Omit<ChainProgress, "head" | "latestNumber"> = NOTHING;

  constructor(
    client: PublicClient,
    deployment: Deployment,
    journal: Journal,
    clock: ChainClock,
    finalityDepth: number,
    decode: (log: Log) => Promise<ChainMessage | null>,
  ) {
    this.#client = client;
    this.#deployment = deployment;
    this.#journal = journal;
    this.#clock = clock;
    this.#finalityDepth = finalityDepth;
    this.#decode = decode;
  }

  /** Reads what is new; null if the head has not moved. @throws EphemeshError RPC_UNREACHABLE */
  async advance(): Promise<ChainProgress | null> {
    const latest = await this.#latest();
    if (latest.hash === this.#lastSeen) return null;
    this.#clock.observe(latest.timestampSeconds, monotonicMillis());
    const target = latest.number - this.#finalityDepth;
    this.#cursor ??= this.#journal.cursor();
    const isNext = this.#cursor?.blockHash === latest.parentHash;
    if (!isNext) await this.#rewindIfForked();
    let from = (this.#cursor?.blockNumber ?? this.#deployment.fromBlock - 1) + 1;
    while (from <= target) {
      const to = Math.min(target, from + MAX_RANGE_BLOCKS - 1);
      const range = await this.#readRange(from, to, latest);
      this.#write(range.messages, range.head);
      this.#unreturned = {
        ...this.#unreturned,
        messages: [...this.#unreturned.messages, ...range.messages.map(({ message }) => message)],
        registerChanged: this.#unreturned.registerChanged || range.registerChanged,
      };
      from = to + 1;
    }
    this.#lastSeen = latest.hash;
    const progress = this.#unreturned;
    this.#unreturned = NOTHING;
    const head = { number: target, timestampSeconds: latest.timestampSeconds };
    return { ...progress, head, latestNumber: latest.number };
  }

  /** Blocks without our events can be read again after a crash: they are written together. */
  #write(messages: readonly { block: number; message: ChainMessage }[], head: ChainCursor): void {
    const stored = this.#journal.cursor()?.blockNumber ?? Number.NEGATIVE_INFINITY;
    if (messages.length > 0 || head.blockNumber - stored >= MAX_UNWRITTEN_BLOCKS)
      this.#journal.appendBlocks(
        messages.map(({ block, message }) => ({ block, body: message })),
        [head],
      );
    this.#cursor = head;
  }

  async #readRange(from: number, to: number, latest: Latest) {
    const { membership, auction, escrow } = this.#deployment;
    const isLatest = from === latest.number && to === latest.number;
    try {
      const [logs, last] = await Promise.all([
        isLatest && /^0x0*$/.test(latest.logsBloom)
          ? []
          : this.#client.getLogs({
              address: [membership, auction, escrow],
              fromBlock: BigInt(from),
              toBlock: BigInt(to),
            }),
        to === latest.number ? latest : this.#client.getBlock({ blockNumber: BigInt(to) }),
      ]);
      const messages: { block: number; message: ChainMessage }[] = [];
      for (const log of logs) {
        const message = await this.#decode(log);
        if (message) messages.push({ block: Number(log.blockNumber), message });
      }
      return {
        messages,
        head: { blockNumber: to, blockHash: last.hash },
        registerChanged: logs.some((log) => log.address.toLowerCase() === membership.toLowerCase()),
      };
    } catch (cause) {
      throw rpcError(cause);
    }
  }

  async #rewindIfForked(): Promise<void> {
    const remembered = this.#journal.rememberedBlocks();
    const known =
      this.#cursor && this.#cursor.blockNumber > (remembered[0]?.blockNumber ?? -1)
        ? [this.#cursor, ...remembered]
        : remembered;
    for (const [i, block] of known.entries()) {
      if ((await this.#hashOf(block.blockNumber)) !== block.blockHash) continue;
      if (i > 0) this.#rewindTo(block.blockNumber, block);
      return;
    }
    if (known.length > 0) this.#rewindTo(this.#deployment.fromBlock - 1, null);
  }

  /** The removed blocks may have changed the register. */
  #rewindTo(blockNumber: number, cursor: ChainCursor | null): void {
    this.#journal.rewindTo(blockNumber);
    this.#cursor = cursor;
    this.#unreturned = { messages: [], forkedAt: blockNumber, registerChanged: true };
  }

  async #hashOf(blockNumber: number): Promise<string | null> {
    try {
      return (await this.#client.getBlock({ blockNumber: BigInt(blockNumber) })).hash;
    } catch (cause) {
      if (cause instanceof BlockNotFoundError) return null;
      throw rpcError(cause);
    }
  }

  async #latest(): Promise<Latest> {
    const block = await this.#client.getBlock({ blockTag: "latest" }).catch((cause: unknown) => {
      throw rpcError(cause);
    });
    return {
      number: Number(block.number),
      timestampSeconds: Number(block.timestamp),
      hash: block.hash,
      parentHash: block.parentHash,
      logsBloom: block.logsBloom,
    };
  }
}
