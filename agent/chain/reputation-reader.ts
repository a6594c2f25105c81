/** Reads what the audit asks for from one RPC node, unchecked: the audit verifies all of it. */
import { type Hex, pad, toHex } from "viem";
import type { Audit, AuditTerms } from "../reputation/audit.ts";
import { decodeHeader, mayHoldLogsOf } from "../reputation/proof/header.ts";
import { eventTopics } from "../reputation/proof/layout.ts";
import { childrenNeeded } from "../reputation/proof/seals.ts";
import type { ProofRequest } from "../reputation/proven-state.ts";
import type { Anchor, AuditRecord, Block, Child } from "../reputation/record.ts";
import { type JsonRpc, malformed } from "./json-rpc.ts";
import { array, headerRlp, hexText, object, receiptRlp } from "./wire-blocks.ts";

const LOG_RANGE = 2_000;
const HEADERS_AT_ONCE = 100;
/** Receipts are as long as the gas that they cost: of so much at once, half a megabyte. */
const GAS_AT_ONCE = 5_000_000n;
const STORAGE_KEYS_AT_ONCE = 500;

export interface ReaderOptions {
  /** Reads every block from the deployment on, not only those that are said to hold settlements. */
  readonly everyBlock: boolean;
  readonly onProgress: (block: number, of: number) => void;
}

/** The last block that an earlier audit verified. */
interface VerifiedBlock {
  readonly block: number;
}

export class ReputationReader {
  readonly #rpc: JsonRpc;
  readonly #terms: AuditTerms;
  readonly #options: ReaderOptions;
  /** Nodes of one root that were brought already. */
  readonly #given = new Set<string>();

  constructor(rpc: JsonRpc, terms: AuditTerms, options: ReaderOptions) {
    this.#rpc = rpc;
    this.#terms = terms;
    this.#options = options;
  }

  /** All that an audit up to a block needs, in its order; each is to be taken before the next is asked for. */
  async *records(audit: Audit, upTo: number | "latest", after: VerifiedBlock | null): AsyncGenerator<AuditRecord> {
    const anchor = await this.#anchor(upTo === "latest" ? await this.#latest() : upTo);
    yield anchor;
    yield* this.#children(decodeHeader(anchor.header).number);
    if (after && !anchor.everyBlock) yield await this.#block(after.block);
    yield* this.#blocks(anchor, after ? after.block + 1 : this.#terms.fromBlock);
    for (let needed = audit.neededProofs(); needed.length > 0; needed = audit.neededProofs())
      yield* this.#nodes(anchor, needed);
    yield { kind: "end" };
  }

  /** The head, or as far below it as a block's seals ask for children. */
  async #latest(): Promise<number | "latest"> {
    if (childrenNeeded(Number.MAX_SAFE_INTEGER, this.#terms) === 0) return "latest";
    const answer = await this.#rpc.call("eth_blockNumber");
    const head = this.#read("its head", () => Number(hexText({ answer }, "answer")));
    return Math.max(0, head - childrenNeeded(head, this.#terms));
  }

  /** The blocks after the anchor, as many as there are of those that its seals ask for. */
  async *#children(anchor: number): AsyncGenerator<Child> {
    const numbers = Array.from({ length: childrenNeeded(anchor, this.#terms) }, (_, i) => anchor + 1 + i);
    const answers = await this.#rpc.batch(
      numbers.map((number) => ({ method: "eth_getBlockByNumber", params: [toHex(number), false] })),
    );
    for (const answer of answers) {
      if (answer === null) return;
      yield { kind: "child", ...this.#headerOf(answer) };
    }
  }

  /** The header of a block, on which the audit hangs everything. */
  async #anchor(block: number | "latest"): Promise<Anchor> {
    const tag = block === "latest" ? block : toHex(block);
    const [chainId, answer] = await this.#rpc.batch([
      { method: "eth_chainId", params: [] },
      { method: "eth_getBlockByNumber", params: [tag, false] },
    ]);
    const { reputation, region } = this.#terms;
    const last = this.#headerOf(answer);
    const { number } = decodeHeader(last.header);
    if (block !== "latest" && number !== block)
      throw malformed(this.#rpc.url, `asked for block ${block}, it gives block ${number}`);
    return {
      ...{ kind: "anchor", format: 1, chainId: Number(chainId), reputation: reputation.toLowerCase(), region },
      everyBlock: this.#options.everyBlock,
      ...last,
    };
  }

  /** From `first` to the anchor, in order. */
  async *#blocks(anchor: Anchor, first: number): AsyncGenerator<Block> {
    const last = decodeHeader(anchor.header).number;
    for await (const group of readAhead(this.#groups(first, last))) {
      yield* group;
      this.#options.onProgress(decodeHeader(group.at(-1)!.header).number, last);
    }
  }

  /** One block without its receipts. */
  async #block(number: number): Promise<Block> {
    const answer = await this.#rpc.call("eth_getBlockByNumber", toHex(number), false);
    return { kind: "block", ...this.#headerOf(answer), receipts: null };
  }

  /** The trie nodes that lead from the anchor's state root to the storage keys. */
  async *#nodes(anchor: Anchor, needed: readonly ProofRequest[]): AsyncGenerator<AuditRecord> {
    const block = toHex(decodeHeader(anchor.header).number);
    for (const { address, storageKeys } of needed)
      for (let at = 0; at === 0 || at < storageKeys.length; at += STORAGE_KEYS_AT_ONCE) {
        const keys = storageKeys.slice(at, at + STORAGE_KEYS_AT_ONCE);
        const answer = await this.#rpc.call("eth_getProof", address, keys, block);
        const fresh = this.#read("a proof", () => nodesOf(answer)).filter((node) => !this.#given.has(node));
        for (const node of fresh) this.#given.add(node);
        yield { kind: "nodes", nodes: [...new Set(fresh)].map((node) => Buffer.from(node.slice(2), "hex")) };
      }
  }

  async *#groups(first: number, last: number): AsyncGenerator<Block[]> {
    for await (const numbers of this.#options.everyBlock ? ranges(first, last) : this.#settled(first, last)) {
      const answers = await this.#rpc.batch(
        numbers.map((number) => ({ method: "eth_getBlockByNumber", params: [toHex(number), false] })),
      );
      const headers = answers.map((answer) => this.#headerOf(answer));
      for (const group of grouped(headers, ({ header }) => (this.#holds(header) ? decodeHeader(header).gasUsed : 0n)))
        yield await this.#withReceipts(group);
    }
  }

  async #withReceipts(headers: readonly { readonly hash: Hex; readonly header: Uint8Array }[]): Promise<Block[]> {
    const holding = headers.filter(({ header }) => this.#holds(header));
    const answers = await this.#rpc.batch(
      holding.map(({ hash }) => ({ method: "eth_getBlockReceipts", params: [hash] })),
    );
    const receipts = new Map(
      holding.map(({ hash }, i) => [
        hash,
        this.#read("receipts", () => array(answers[i], "the receipts").map((r) => receiptRlp(object(r, "a receipt")))),
      ]),
    );
    return headers.map((header) => ({ kind: "block", ...header, receipts: receipts.get(header.hash) ?? null }));
  }

  /** Numbers of the blocks that the node says hold settlements, a range at a time. */
  async *#settled(first: number, last: number): AsyncGenerator<number[]> {
    const { reputation: address, region } = this.#terms;
    const { LeaseRecorded, CreditSuspended } = eventTopics;
    const of = region === null ? null : pad(toHex(region), { size: 32 });
    const filters = of
      ? [
          [LeaseRecorded, of],
          [CreditSuspended, of],
          [CreditSuspended, null, of],
        ]
      : [[[LeaseRecorded, CreditSuspended]]];
    for (let from = first; from <= last; from += LOG_RANGE) {
      const range = { fromBlock: toHex(from), toBlock: toHex(Math.min(last, from + LOG_RANGE - 1)) };
      const answers = await this.#rpc.batch(
        filters.map((topics) => ({ method: "eth_getLogs", params: [{ address, topics, ...range }] })),
      );
      const numbers = this.#read("logs", () =>
        answers.flatMap((logs) =>
          array(logs, "the logs").map((log) => Number(hexText(object(log, "a log"), "blockNumber"))),
        ),
      );
      const unique = [...new Set(numbers)].sort((a, b) => a - b);
      for (let at = 0; at < unique.length; at += HEADERS_AT_ONCE) yield unique.slice(at, at + HEADERS_AT_ONCE);
    }
  }

  #holds(header: Uint8Array): boolean {
    return mayHoldLogsOf(decodeHeader(header), this.#terms.reputation);
  }

  #headerOf(answer: unknown): { hash: Hex; header: Uint8Array } {
    return this.#read("a block", () => {
      const block = object(answer, "the block");
      const header = headerRlp(block);
      decodeHeader(header);
      return { hash: hexText(block, "hash"), header };
    });
  }

  #read<T>(what: string, read: () => T): T {
    try {
      return read();
    } catch (cause) {
      throw malformed(this.#rpc.url, `${what}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
}

function nodesOf(answer: unknown): string[] {
  const { accountProof, storageProof } = object(answer, "the answer");
  const proofs = [accountProof, ...array(storageProof, "the storage proof").map((p) => object(p, "a proof").proof)];
  return proofs.flatMap((proof) => array(proof, "a proof").map((node) => hexText({ node }, "node").toLowerCase()));
}

async function* ranges(first: number, last: number): AsyncGenerator<number[]> {
  for (let from = first; from <= last; from += HEADERS_AT_ONCE)
    yield Array.from({ length: Math.min(HEADERS_AT_ONCE, last - from + 1) }, (_, i) => from + i);
}

/** In order; a group ends with the item that brings it to GAS_AT_ONCE. */
function* grouped<T>(items: readonly T[], gasOf: (item: T) => bigint): Generator<T[]> {
  let group: T[] = [];
  let gas = 0n;
  for (const item of items) {
    group.push(item);
    gas += gasOf(item);
    if (gas < GAS_AT_ONCE) continue;
    yield group;
    [group, gas] = [[], 0n];
  }
  if (group.length > 0) yield group;
}

/** Asks for the next while the last is being checked. */
async function* readAhead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = source.next();
  for (;;) {
    const { done, value } = await next;
    if (done) return;
    next = source.next();
    // Its awaiter sees the error; without one, the error must not end the process.
    next.catch(() => undefined);
    yield value;
  }
}
