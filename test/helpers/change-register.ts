/** Changes Membership in one transaction from any key, and returns when a block contains it. */
import type { Hex } from "viem";
import { membershipAbi } from "../../agent/chain/abi/membership.ts";
import type { Consortium } from "../../lab/chain/consortium.ts";
import { LabWallet } from "../../lab/chain/wallet.ts";

export async function changeRegister(
  rpcUrl: string,
  { deployment }: Consortium,
  key: Hex,
  functionName: "addPrefix" | "removePrefix" | "replaceControlUrls",
  args: readonly unknown[],
): Promise<void> {
  await new LabWallet(rpcUrl, key).send(deployment.membership, membershipAbi, functionName, args);
}
