/** Sends transactions from one key on the embedded chain, where gas is free. */
import { type Abi, createPublicClient, createWalletClient, encodeFunctionData, type Hex, http } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { EphemeshError } from "../../agent/model/errors.ts";

const GAS = 5_000_000n;

/** No other process may send from the same key meanwhile: the nonce is read once and then counted. */
export class LabWallet {
  readonly account: PrivateKeyAccount;
  readonly #client;
  readonly #wallet;
  #nonce: number | null = null;

  constructor(rpcUrl: string, key: Hex) {
    const transport = http(rpcUrl);
    this.account = privateKeyToAccount(key);
    this.#client = createPublicClient({ transport, pollingInterval: 5, cacheTime: 0 });
    this.#wallet = createWalletClient({ account: this.account, transport });
  }

  /** Returns when a block contains the transaction. @throws EphemeshError LAB_TRANSACTION if it reverted */
  async send(to: Hex, abi: Abi | readonly unknown[], functionName: string, args: readonly unknown[]): Promise<void> {
    this.#nonce ??= await this.#client.getTransactionCount({ address: this.account.address, blockTag: "pending" });
    const data = encodeFunctionData({ abi: abi as Abi, functionName, args });
    const nonce = this.#nonce++;
    const hash = await this.#wallet.sendTransaction({
      ...{ to, data, nonce, gas: GAS, gasPrice: 0n, type: "legacy", chain: null },
    });
    const { status } = await this.#client.waitForTransactionReceipt({ hash });
    if (status === "success") return;
    throw new EphemeshError(
      "LAB_TRANSACTION",
      `${functionName} from ${this.account.address} failed (transaction ${hash}).`,
      "Start a new embedded chain; this one is not complete.",
    );
  }
}
