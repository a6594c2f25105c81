/** One call of Membership by whoever's key it is, until a block has it. */
import { createPublicClient, createWalletClient, encodeFunctionData, type Hex, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { membershipAbi } from "../../agent/chain/abi/membership.ts";
import type { Consortium } from "../../lab/chain/consortium.ts";

export async function changeRegister(
  rpcUrl: string,
  { deployment }: Consortium,
  key: Hex,
  functionName: "addPrefix" | "removePrefix" | "replaceControlUrls",
  args: readonly unknown[],
): Promise<void> {
  const wallet = createWalletClient({ account: privateKeyToAccount(key), transport: http(rpcUrl) });
  const data = encodeFunctionData({ abi: membershipAbi as readonly unknown[], functionName, args });
  const hash = await wallet.sendTransaction({
    ...{ to: deployment.membership, data, gas: 3_000_000n, gasPrice: 0n, type: "legacy", chain: null },
  });
  const client = createPublicClient({ transport: http(rpcUrl), pollingInterval: 50 });
  const { status } = await client.waitForTransactionReceipt({ hash });
  if (status !== "success") throw new Error(`${functionName} failed`);
}
