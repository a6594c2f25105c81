/** Reads the register of the consortium, for this region. */
import { type Hex, keccak256, type PublicClient, stringToHex } from "viem";
import { EphemeshError } from "../model/errors.ts";
import { type RegionId, regionId } from "../model/ids.ts";
import type { ChainConstants, Register } from "../model/register.ts";
import { capacityAuctionAbi } from "./abi/capacity-auction.ts";
import { membershipAbi } from "./abi/membership.ts";
import { checkDeployment, type Deployment, rpcError } from "./client.ts";
import { readFabrics, readRegions } from "./registry.ts";

export interface Identity {
  readonly region: string;
  readonly agent: Hex;
}

/** Nothing is signed before this has passed once. @throws EphemeshError RPC_UNREACHABLE, WRONG_CHAIN, WRONG_CONTRACT, UNKNOWN_REGION, AGENT_KEY_WRONG */
export async function readRegister(
  client: PublicClient,
  deployment: Deployment,
  identity: Identity,
): Promise<Register> {
  await checkDeployment(client, deployment);
  try {
    const [self, constants, regions, fabrics] = await Promise.all([
      whoAmI(client, deployment, identity),
      readConstants(client, deployment),
      readRegions(client, deployment.membership),
      readFabrics(client, deployment.membership),
    ]);
    return { self, constants, regions, fabrics };
  } catch (cause) {
    throw rpcError(cause);
  }
}

/** @throws EphemeshError UNKNOWN_REGION, AGENT_KEY_WRONG */
export async function whoAmI(
  client: PublicClient,
  { membership }: Deployment,
  { region: name, agent }: Identity,
): Promise<RegionId> {
  const contract = { address: membership, abi: membershipAbi } as const;
  const id = await client.readContract({
    ...contract,
    functionName: "regionByName",
    args: [keccak256(stringToHex(name))],
  });
  if (id === 0)
    throw new EphemeshError(
      "UNKNOWN_REGION",
      `The consortium has no region "${name}" on this chain. Nothing was signed.`,
      "Correct `region`, or ask the consortium to admit it.",
    );
  const region = await client.readContract({ ...contract, functionName: "region", args: [id] });
  if (region.agent.toLowerCase() !== agent.toLowerCase())
    throw new EphemeshError(
      "AGENT_KEY_WRONG",
      `The key in keys.agent is ${agent}; region "${name}" is registered with ${region.agent}. Nothing was signed.`,
      "Use the registered key, or have the treasury call replaceAgent.",
    );
  return regionId.parse(id);
}

async function readConstants(client: PublicClient, { auction }: Deployment): Promise<ChainConstants> {
  const { clearBlocks, minBond, maxCosine, urgentBlocks, normalBlocks } = await client.readContract({
    address: auction,
    abi: capacityAuctionAbi,
    functionName: "constants",
  });
  return { clearBlocks, minBond, maxCosine, urgentBlocks, normalBlocks };
}
