/**
 * Blocks and their logs, as several nodes tell them. Logs are read with all receipts of their block and proved by its
 * receipts root, so that an empty or partial answer is not taken for a block without events.
 */
import { formatLog, type Hex, hexToBytes, type Log, type RpcLog, RpcRequestError, toHex } from "viem";
import { mayHoldLogsOf } from "../reputation/proof/header.ts";
import { listRoot } from "../reputation/proof/trie.ts";
import type { RpcPool } from "./rpc-pool.ts";
import { array, object, receiptRlp } from "./wire-blocks.ts";

/** A block's header as far as it is used here. */
export interface ChainBlock {
  readonly number: number;
  readonly hash: Hex;
  readonly parentHash: Hex;
  readonly timestampSeconds: number;
  readonly logsBloom: Hex;
  readonly receiptsRoot: Hex;
}

/** Whether a block that was read before is still part of the chain; "unknown": no node has a block of that number. */
export type Presence = "present" | "replaced" | "unknown";

/** Nodes limit the calls of one request. */
const BATCH_BLOCKS = 100;
/** Answers without receipts, each of them, until a block is taken to hold none of our logs. */
const EMPTY_ANSWERS = 3;

export class BlockSource {
  readonly #pool: RpcPool;
  readonly #addresses: readonly Hex[];
  #lacksReceipts = false;

  /** @param addresses contracts whose logs are wanted. */
  constructor(pool: RpcPool, addresses: readonly Hex[]) {
    this.#pool = pool;
    this.#addresses = addresses.map((address) => address.toLowerCase() as Hex);
  }

  async latest(): Promise<ChainBlock> {
    return blockOf(await this.#pool.request("eth_getBlockByNumber", ["latest", false]));
  }

  /**
   * The blocks of a range, each the child of the one before.
   * @throws EphemeshError RPC_MALFORMED where they are not, or one is missing; RPC_UNREACHABLE
   */
  async *blocks(from: number, to: number): AsyncGenerator<readonly ChainBlock[]> {
    for (let first = from; first <= to; first += BATCH_BLOCKS) {
      const last = Math.min(to, first + BATCH_BLOCKS - 1);
      const numbers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
      let parent: string | null = null;
      const results = await this.#pool.requestBatch(
        numbers.map((number) => ({ method: "eth_getBlockByNumber", params: [toHex(number), false] })),
        (result) => {
          if (result === null) return "a block below its head is missing";
          const { hash, parentHash, number } = blockOf(result);
          const isChild: boolean = number === first || parentHash === parent;
          parent = hash;
          return isChild ? null : `block ${number} is not the child of block ${number - 1}`;
        },
      );
      yield results.map(blockOf);
    }
  }

  /**
   * All logs of our contracts in a block, in order.
   * @throws EphemeshError RPC_MALFORMED where no node's answer fits the block's header; RPC_UNREACHABLE
   */
  async logsOf(block: ChainBlock): Promise<readonly Log<bigint, number, false>[]> {
    if (!this.#mayHoldOurs(block)) return [];
    const logs = this.#lacksReceipts ? await this.#logsByHash(block) : await this.#provenLogs(block);
    return logs
      .filter(({ address }) => this.#addresses.includes(address.toLowerCase() as Hex))
      .map((log) => formatLog(log) as Log<bigint, number, false>);
  }

  /** Two answers must say that the block was replaced, of two nodes where there are two. */
  async presence(number: number, hash: string): Promise<Presence> {
    let others = 0;
    for (let round = 0; round < 2; round++) {
      const answers = await this.#pool.requestEach("eth_getBlockByNumber", [toHex(number), false]);
      const hashes = answers.flatMap((answer) => (answer === null ? [] : blockOf(answer).hash));
      if (hashes.includes(hash as Hex)) return "present";
      if (hashes.length === 0) return "unknown";
      others += hashes.length;
      if (others >= 2) return "replaced";
    }
    return "unknown";
  }

  #mayHoldOurs({ logsBloom }: ChainBlock): boolean {
    const bloom = { logsBloom: hexToBytes(logsBloom) };
    return this.#addresses.some((address) => mayHoldLogsOf(bloom, address));
  }

  async #provenLogs(block: ChainBlock): Promise<readonly RpcLog[]> {
    try {
      const receipts = await this.#pool.request("eth_getBlockReceipts", [toHex(block.number)], (result) =>
        receiptsProblem(result, block),
      );
      return (receipts as readonly { logs: readonly RpcLog[] }[]).flatMap(({ logs }) => logs);
    } catch (error) {
      if (!(error instanceof RpcRequestError)) throw error;
      this.#lacksReceipts = true;
      return this.#logsByHash(block);
    }
  }

  /** Where no node has eth_getBlockReceipts. A bloom filter may admit a block by chance: three empty answers decide. */
  async #logsByHash({ hash, number }: ChainBlock): Promise<readonly RpcLog[]> {
    let empty = 0;
    return (await this.#pool.request("eth_getLogs", [{ blockHash: hash, address: this.#addresses }], (result) =>
      (result as readonly unknown[]).length > 0 || ++empty >= EMPTY_ANSWERS
        ? null
        : `no log of block ${number}, whose bloom filter names one`,
    )) as readonly RpcLog[];
  }
}

/** The receipts of a block, or what does not fit its header. */
function receiptsProblem(result: unknown, { number, hash, receiptsRoot }: ChainBlock): string | null {
  try {
    const receipts = array(result, "the receipts").map((receipt) => object(receipt, "a receipt"));
    if (receipts.some(({ blockHash }) => String(blockHash).toLowerCase() !== hash.toLowerCase()))
      return `a receipt of another block than ${number}`;
    return listRoot(receipts.map(receiptRlp)) === receiptsRoot.toLowerCase()
      ? null
      : `the receipts of block ${number} are not those of its receipts root`;
  } catch (cause) {
    return (cause as Error).message;
  }
}

/** Of an answer whose shape was checked (rpc-answers.ts). */
function blockOf(answer: unknown): ChainBlock {
  const block = answer as Readonly<
    Record<"number" | "hash" | "parentHash" | "timestamp" | "logsBloom" | "receiptsRoot", Hex>
  >;
  return {
    number: Number(block.number),
    hash: block.hash,
    parentHash: block.parentHash,
    timestampSeconds: Number(block.timestamp),
    logsBloom: block.logsBloom,
    receiptsRoot: block.receiptsRoot,
  };
}
