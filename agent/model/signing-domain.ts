/** The EIP-712 domain of every signature by an agent or a wallet. LeaseEscrow fixes its name and version. */
import type { Hex } from "viem";

export function signingDomain(chainId: number, verifyingContract: Hex) {
  return { name: "Ephemesh", version: "1", chainId, verifyingContract } as const;
}
