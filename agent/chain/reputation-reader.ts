/** Reads every settlement's reputation event, and what the contract says about each region, at one block. */
import { type PublicClient, parseEventLogs } from "viem";
import type { ClaimedScore } from "../reputation/audit.ts";
import type { LeaseRecorded } from "../reputation/rebuild.ts";
import { membershipAbi } from "./abi/membership.ts";
import { reputationAbi } from "./abi/reputation.ts";
import { type Deployment, rpcError } from "./client.ts";

const RANGE = 2000;

export interface ReputationAtBlock {
  readonly blockNumber: number;
  readonly day: number;
  readonly fullBond: bigint;
  readonly events: readonly LeaseRecorded[];
  readonly claimed: readonly (ClaimedScore & { readonly name: string })[];
}

export async function readReputation(
  client: PublicClient,
  deployment: Deployment,
  onProgress: (block: number, of: number) => void,
): Promise<ReputationAtBlock> {
  try {
    const head = await client.getBlock({ blockTag: "latest" });
    const last = Number(head.number);
    const events: LeaseRecorded[] = [];
    for (let from = deployment.fromBlock; from <= last; from += RANGE) {
      const to = Math.min(last, from + RANGE - 1);
      const logs = await client.getLogs({
        address: deployment.reputation,
        fromBlock: BigInt(from),
        toBlock: BigInt(to),
      });
      for (const { args } of parseEventLogs({ abi: reputationAbi, eventName: "LeaseRecorded", logs }))
        events.push(args);
      onProgress(to, last);
    }
    const at = { blockNumber: head.number } as const;
    const reputation = { address: deployment.reputation, abi: reputationAbi, ...at } as const;
    const membership = { address: deployment.membership, abi: membershipAbi, ...at } as const;
    const [fullBond, count] = await Promise.all([
      client.readContract({ ...reputation, functionName: "fullBond" }),
      client.readContract({ ...membership, functionName: "regionCount" }),
    ]);
    const claimed = await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const args = [i + 1] as const;
        const [region, score, [state]] = await Promise.all([
          client.readContract({ ...membership, functionName: "region", args }),
          client.readContract({ ...reputation, functionName: "score", args }),
          client.readContract({ ...reputation, functionName: "sellerState", args }),
        ]);
        return { regionId: i + 1, name: region.name, score, state };
      }),
    );
    return { blockNumber: last, day: Math.floor(Number(head.timestamp) / 86_400), fullBond, events, claimed };
  } catch (cause) {
    throw rpcError(cause);
  }
}
