/** The Solidity side: the contracts' libraries on Hardhat's in-process chain, called with figures from files. */
import { network } from "hardhat";
import {
  createPublicClient,
  createTestClient,
  createWalletClient,
  custom,
  type Hex,
  keccak256,
  stringToBytes,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { builtArtifact } from "../../deploy/artifacts.ts";

export type Call = <T>(functionName: string, args: readonly unknown[]) => Promise<T>;

/** @param creation code to test instead of the build's, e.g. with a fault that bench/mutation.ts put into it. */
export async function parityHarness(creation?: Hex): Promise<Call> {
  const { provider } = await network.create();
  const transport = custom(provider);
  const account = privateKeyToAccount(keccak256(stringToBytes("parity")));
  await createTestClient({ mode: "hardhat", transport }).setBalance({ address: account.address, value: 10n ** 24n });
  const { abi, bytecode } = await builtArtifact("ParityHarness");
  const client = createPublicClient({ transport, pollingInterval: 5 });
  const hash = await createWalletClient({ account, transport }).deployContract({
    abi,
    bytecode: creation ?? bytecode,
    chain: null,
  });
  const { contractAddress } = await client.waitForTransactionReceipt({ hash });
  if (!contractAddress) throw new Error("the harness could not be deployed");
  return async <T>(functionName: string, args: readonly unknown[]) =>
    (await client.readContract({ address: contractAddress, abi, functionName, args })) as T;
}
