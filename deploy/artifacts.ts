/** Reads what the compiler made of a contract. Only for tests, benchmarks and deployments: agents need no compiler. */
import hre from "hardhat";
import type { Abi, Hex } from "viem";

/** Compiles the contracts, and their Solidity tests if asked to, where artifacts are missing or older than the sources. */
export async function buildContracts({ tests = false } = {}): Promise<void> {
  await hre.tasks.getTask("build").run({ noTests: !tests, quiet: true });
}

/** The artifact of a contract as its sources are now. */
export async function builtArtifact(name: string): Promise<{ readonly abi: Abi; readonly bytecode: Hex }> {
  await buildContracts();
  const { abi, bytecode } = await hre.artifacts.readArtifact(name);
  return { abi: abi as Abi, bytecode: bytecode as Hex };
}
