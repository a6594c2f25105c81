/**
 * Sends transactions with a nonce of its own, once per purpose: what is to be sent is simulated, signed and on disk
 * before it is on the wire, so that a kill at any instant neither loses nor repeats it (INV-12). The same signed bytes
 * are sent again until a block has them.
 */
import {
  type Abi,
  encodeFunctionData,
  type Hex,
  keccak256,
  type PublicClient,
  TransactionReceiptNotFoundError,
} from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { Journal, StoredTransaction } from "../journal/journal.ts";
import { EphemeshError } from "../model/errors.ts";
import { SerialQueue } from "../model/serial-queue.ts";
import { rpcError, submit } from "./client.ts";
import { explainFailure } from "./refusals.ts";

export interface Call {
  readonly address: Hex;
  readonly abi: Abi | readonly unknown[];
  readonly functionName: string;
  readonly args: readonly unknown[];
}

/** No transaction of ours needs more (INV-4); a block of the deployment holds it. */
const MAX_GAS = 15_000_000n;
const POLL_MILLIS = 60;
const RESEND_MILLIS = 3000;
const MAX_WAIT_MILLIS = 30_000;

export class Sender {
  readonly #client: PublicClient;
  readonly #key: PrivateKeyAccount;
  readonly #journal: Journal;
  /** Hands signed bytes to a peer that reaches the chain. */
  readonly #relay: (raw: Hex) => Promise<void>;
  /** One transaction is prepared at a time, so that no two take one nonce. */
  readonly #preparing = new SerialQueue();

  constructor(client: PublicClient, key: PrivateKeyAccount, journal: Journal, relay: (raw: Hex) => Promise<void>) {
    this.#client = client;
    this.#key = key;
    this.#journal = journal;
    this.#relay = relay;
  }

  /**
   * Returns when a block has the transaction. Asking again for a purpose that was served does nothing,
   * unless its block was taken back: then the same bytes go again. `event`: the event for which the call opens an auction.
   * @throws EphemeshError CONTRACT_REFUSED (ContractRefusal), RPC_UNREACHABLE, TRANSACTION_SLOW
   */
  async send(purpose: string, call: Call, signal: AbortSignal, event: string | null = null): Promise<void> {
    const known = this.#journal.transaction(purpose);
    if (known?.status === "mined") {
      if (await this.#receiptOf(known)) return;
      await this.#broadcast(known);
    }
    const isSigned = known?.status === "signed" || known?.status === "mined";
    const transaction = isSigned ? known : await this.#preparing.run(() => this.#prepare(purpose, call, event));
    await this.#untilMined(transaction, purpose, signal);
  }

  /** After a restart or a reorganisation: sends all pending transactions again in order, then waits for their blocks. */
  async resume(signal: AbortSignal): Promise<void> {
    for (const transaction of this.#journal.pendingTransactions())
      await this.#broadcast(transaction).catch(() => undefined);
    for (const transaction of this.#journal.pendingTransactions())
      await this.#untilMined(transaction, transaction.purpose, signal).catch(() => undefined);
  }

  /** While no node answers: sends signed transactions via a peer. They stay pending until a block is seen to have them. */
  async handOver(): Promise<void> {
    for (const { raw } of this.#journal.pendingTransactions()) await this.#relay(raw as Hex);
  }

  async #prepare(purpose: string, call: Call, event: string | null): Promise<StoredTransaction> {
    const abi = call.abi as Abi;
    try {
      // As of the block that it will be in: a phase may begin with that block.
      const next = { account: this.#key, blockTag: "pending" } as const;
      await this.#client.simulateContract({ ...call, abi, ...next });
      const data = encodeFunctionData({ abi, functionName: call.functionName, args: call.args as unknown[] });
      const [estimate, mined, { baseFeePerGas }] = await Promise.all([
        this.#client.estimateGas({ ...next, to: call.address, data }),
        this.#client.getTransactionCount({ address: this.#key.address, blockTag: "pending" }),
        this.#client.getBlock({ blockTag: "latest" }),
      ]);
      // On a chain without fees no key holds any coin, whatever price the node would suggest.
      const gasPrice = baseFeePerGas === 0n ? 0n : await this.#client.getGasPrice();
      const gas = (estimate * 13n) / 10n + 20_000n;
      const own = this.#journal.pendingTransactions().map((t) => t.nonce + 1);
      const nonce = Math.max(mined, ...own);
      const raw = await this.#key.signTransaction({
        chainId: this.#client.chain!.id,
        to: call.address,
        data,
        gas: gas < MAX_GAS ? gas : MAX_GAS,
        gasPrice,
        nonce,
        type: "legacy",
      });
      const transaction: StoredTransaction = {
        purpose,
        nonce,
        hash: keccak256(raw),
        raw,
        status: "signed",
        block: null,
        event,
      };
      this.#journal.saveTransaction(transaction);
      await this.#broadcast(transaction);
      return transaction;
    } catch (error) {
      throw explainFailure(`"${purpose}"`, error);
    }
  }

  async #untilMined(transaction: StoredTransaction, purpose: string, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    let sent = started;
    for (;;) {
      signal.throwIfAborted();
      const receipt = await this.#receiptOf(transaction);
      if (receipt) return this.#finish(transaction, purpose, receipt.status, Number(receipt.blockNumber));
      if (performance.now() - started > MAX_WAIT_MILLIS)
        throw new EphemeshError(
          "TRANSACTION_SLOW",
          `"${purpose}" is not in a block after ${MAX_WAIT_MILLIS / 1000} s.`,
          "It stays signed and is sent again; the chain may have stopped.",
          { retryable: true },
        );
      if (performance.now() - sent > RESEND_MILLIS) {
        sent = performance.now();
        await this.#resend(transaction);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS));
    }
  }

  async #receiptOf({ hash }: StoredTransaction) {
    return this.#client.getTransactionReceipt({ hash: hash as Hex }).catch((error: unknown) => {
      if (error instanceof TransactionReceiptNotFoundError) return null;
      throw rpcError(error);
    });
  }

  #finish(transaction: StoredTransaction, purpose: string, status: "success" | "reverted", block: number): void {
    this.#journal.saveTransaction({ ...transaction, status: status === "success" ? "mined" : "reverted", block });
    if (status === "reverted")
      throw new EphemeshError(
        "TRANSACTION_REVERTED",
        `"${purpose}" was overtaken by another transaction and had no effect.`,
        "The agent sends what is still needed.",
        { retryable: true },
      );
  }

  async #resend(transaction: StoredTransaction): Promise<void> {
    const used = await this.#client.getTransactionCount({ address: this.#key.address }).catch((error: unknown) => {
      throw rpcError(error);
    });
    if (used <= transaction.nonce) return this.#broadcast(transaction);
    // Its nonce went to another transaction (a restored journal): it can never be in a block.
    const late = await this.#client.getTransactionReceipt({ hash: transaction.hash as Hex }).catch(() => null);
    if (late) return;
    this.#journal.saveTransaction({ ...transaction, status: "dropped" });
    throw new EphemeshError(
      "TRANSACTION_DROPPED",
      `The nonce of "${transaction.purpose}" was used by another transaction.`,
      "The agent sends what is still needed.",
      { retryable: true },
    );
  }

  async #broadcast(transaction: StoredTransaction): Promise<void> {
    await submit(this.#client, transaction.raw as Hex);
  }
}
