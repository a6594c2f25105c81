/** The Solidity side: the contracts' libraries on Hardhat's in-process chain, called with figures from files. */
import { artifacts, network } from "hardhat";
import {
  type Abi,
  createPublicClient,
  createTestClient,
  createWalletClient,
  custom,
  type Hex,
  keccak256,
  stringToBytes,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

export type Call = <T>(functionName: string, args: readonly unknown[]) => Promise<T>;

/** @param creation instead of the build's: bench/mutation.ts has faults in it. */
export async function parityHarness(creation?: Hex): Promise<Call> {
  const { provider } = await network.create();
  const transport = custom(provider);
  const account = privateKeyToAccount(keccak256(stringToBytes("parity")));
  await createTestClient({ mode: "hardhat", transport }).setBalance({ address: account.address, value: 10n ** 24n });
  const { abi, bytecode } = await artifacts.readArtifact("ParityHarness");
  const client = createPublicClient({ transport, pollingInterval: 5 });
  const hash = await createWalletClient({ account, transport }).deployContract({
    abi: abi as Abi,
    bytecode: creation ?? (bytecode as Hex),
    chain: null,
  });
  const { contractAddress } = await client.waitForTransactionReceipt({ hash });
  if (!contractAddress) throw new Error("the harness could not be deployed");
  return async <T>(functionName: string, args: readonly unknown[]) =>
    (await client.readContract({ address: contractAddress, abi: abi as Abi, functionName, args })) as T;
}
