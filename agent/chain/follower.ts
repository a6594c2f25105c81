/**
 * Reads blocks from a cursor of our own, up to the finality depth. What a block caused is journaled in the transaction
 * that moves the cursor, so that a crash neither loses nor repeats an event. A block below the cursor that was replaced
 * is a reorganisation: the journal goes back to the fork and the chain is read again from there. A node that does not
 * have a block yet is behind: nothing is taken back.
 */
import type { Log } from "viem";
import type { ChainMessage } from "../auction/facts.ts";
import type { ChainCursor, Journal } from "../journal/journal.ts";
import { EphemeshError } from "../model/errors.ts";
import { monotonicMillis } from "../model/time.ts";
import { BlockSource, type ChainBlock } from "./block-source.ts";
import { type Deployment, rpcError } from "./client.ts";
import type { ChainClock } from "./clock.ts";
import type { RpcPool } from "./rpc-pool.ts";

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

const MAX_UNWRITTEN_BLOCKS = 16;
/** Nodes behind one address are a block or two apart; longer than this is worth a warning. */
const MAX_BEHIND_MILLIS = 10_000;
const NOTHING = { messages: [], forkedAt: null, registerChanged: false } as const;

export class ChainFollower {
  readonly #source: BlockSource;
  readonly #deployment: Deployment;
  readonly #journal: Journal;
  readonly #clock: ChainClock;
  readonly #finalityDepth: number;
  readonly #decode: (log: Log) => Promise<ChainMessage | null>;
  #lastSeen = "";
  #cursor: ChainCursor | null = null;
  #behindSinceMillis: number | null = null;
  /** Journaled but not returned yet, since an attempt failed half-way. */
  #unreturned: Omit<ChainProgress, "head" | "latestNumber"> = NOTHING;

  constructor(
    pool: RpcPool,
    deployment: Deployment,
    journal: Journal,
    clock: ChainClock,
    finalityDepth: number,
    decode: (log: Log) => Promise<ChainMessage | null>,
  ) {
    this.#source = new BlockSource(pool, [deployment.membership, deployment.auction, deployment.escrow]);
    this.#deployment = deployment;
    this.#journal = journal;
    this.#clock = clock;
    this.#finalityDepth = finalityDepth;
    this.#decode = decode;
  }

  /**
   * Reads what is new; null if there is nothing new, or if the node is behind what was read before.
   * @throws EphemeshError RPC_UNREACHABLE, RPC_MALFORMED, NODE_BEHIND where nodes stay behind
   */
  async advance(): Promise<ChainProgress | null> {
    const latest = await this.#read(() => this.#source.latest());
    if (latest.hash === this.#lastSeen) return null;
    this.#cursor ??= this.#journal.cursor();
    const isNext = this.#cursor?.blockHash === latest.parentHash;
    if (!isNext && (await this.#read(() => this.#rewindIfForked())) === "behind") return this.#waitForNode(latest);
    this.#behindSinceMillis = null;
    this.#clock.observe(latest.timestampSeconds, monotonicMillis());
    const target = latest.number - this.#finalityDepth;
    const from = (this.#cursor?.blockNumber ?? this.#deployment.fromBlock - 1) + 1;
    if (from === latest.number && target === latest.number) await this.#readBlocks([latest]);
    else for await (const blocks of this.#source.blocks(from, target)) await this.#readBlocks(blocks);
    this.#lastSeen = latest.hash;
    const progress = this.#unreturned;
    this.#unreturned = NOTHING;
    const head = { number: target, timestampSeconds: latest.timestampSeconds };
    return { ...progress, head, latestNumber: latest.number };
  }

  /** Journals what a few blocks caused, together with the cursor behind them. */
  async #readBlocks(blocks: readonly ChainBlock[]): Promise<void> {
    const first = blocks[0];
    const last = blocks.at(-1);
    if (!first || !last) return;
    // A reorganisation since the head was read: the next attempt begins with it.
    if (this.#cursor?.blockNumber === first.number - 1 && this.#cursor.blockHash !== first.parentHash) return;
    const messages: { block: number; message: ChainMessage }[] = [];
    let registerChanged = false;
    for (const block of blocks)
      for (const log of await this.#read(() => this.#source.logsOf(block))) {
        registerChanged ||= log.address.toLowerCase() === this.#deployment.membership.toLowerCase();
        const message = await this.#read(() => this.#decode(log));
        if (message) messages.push({ block: block.number, message });
      }
    this.#write(messages, { blockNumber: last.number, blockHash: last.hash });
    this.#unreturned = {
      ...this.#unreturned,
      messages: [...this.#unreturned.messages, ...messages.map(({ message }) => message)],
      registerChanged: this.#unreturned.registerChanged || registerChanged,
    };
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

  /** Back to the last block that is still part of the chain. A block that no node has is behind, not replaced. */
  async #rewindIfForked(): Promise<"forked" | "behind" | "unchanged"> {
    const remembered = this.#journal.rememberedBlocks();
    const known =
      this.#cursor && this.#cursor.blockNumber > (remembered[0]?.blockNumber ?? -1)
        ? [this.#cursor, ...remembered]
        : remembered;
    let isReplaced = false;
    for (const [i, block] of known.entries()) {
      const presence = await this.#source.presence(block.blockNumber, block.blockHash);
      isReplaced ||= presence === "replaced";
      if (presence !== "present") continue;
      if (!isReplaced) return i === 0 ? "unchanged" : "behind";
      this.#rewindTo(block.blockNumber, block);
      return "forked";
    }
    if (known.length === 0) return "unchanged";
    if (!isReplaced) return "behind";
    this.#rewindTo(this.#deployment.fromBlock - 1, null);
    return "forked";
  }

  /** The removed blocks may have changed the register. */
  #rewindTo(blockNumber: number, cursor: ChainCursor | null): void {
    this.#journal.rewindTo(blockNumber);
    this.#cursor = cursor;
    this.#unreturned = { messages: [], forkedAt: blockNumber, registerChanged: true };
  }

  #waitForNode(latest: ChainBlock): null {
    this.#behindSinceMillis ??= monotonicMillis();
    if (monotonicMillis() - this.#behindSinceMillis < MAX_BEHIND_MILLIS) return null;
    throw new EphemeshError(
      "NODE_BEHIND",
      `The RPC node is at block ${latest.number}, block ${this.#cursor?.blockNumber} was read before. Nothing was taken back; leases that run continue.`,
      "The agent waits until a node has that block. Check whether the node still synchronises; add another one to chain.rpc.",
      { retryable: true },
    );
  }

  async #read<T>(reading: () => Promise<T>): Promise<T> {
    try {
      return await reading();
    } catch (cause) {
      throw rpcError(cause);
    }
  }
}
