/** The contracts of one deployment, through any of several RPC nodes. An outage is a state of theirs, not "not found". */
import { existsSync, readFileSync } from "node:fs";
import { BaseError, createPublicClient, custom, defineChain, type Hex, type PublicClient, RpcRequestError } from "viem";
import { z } from "zod";
import { EphemeshError } from "../model/errors.ts";
import type { RpcPool } from "./rpc-pool.ts";

const hexAddress = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/)
  .transform((text) => text as Hex);
const deploymentFile = z.object({
  chainId: z.number().int().positive(),
  /** First block that can hold an event of ours. */
  fromBlock: z.number().int().nonnegative(),
  membership: hexAddress,
  auction: hexAddress,
  escrow: hexAddress,
  reputation: hexAddress,
  token: hexAddress,
  /** What the audit needs besides: the bond of full weight, and the validators, where the chain's blocks are sealed. */
  constants: z
    .object({
      escrow: z.object({
        fullBond: z
          .string()
          .regex(/^\d{1,20}$/)
          .transform(BigInt),
      }),
    })
    .optional(),
  validators: z
    .array(z.object({ fromBlock: z.number().int().nonnegative(), validators: z.array(hexAddress).nonempty() }))
    .refine((lists) => lists.every(({ fromBlock }, i) => i === 0 || lists[i - 1]!.fromBlock < fromBlock), {
      error: "fromBlock must ascend from list to list",
    })
    .optional(),
  /** How blocks are sealed; absent: QBFT where validators are named. */
  consensus: z.enum(["qbft", "clique"]).optional(),
});
export type Deployment = z.infer<typeof deploymentFile>;

/** @throws EphemeshError DEPLOYMENT_UNREADABLE */
export function loadDeployment(folder: string): Deployment {
  const file = `${folder}/deployment.json`;
  try {
    if (!existsSync(file)) throw new Error("there is no such file");
    return deploymentFile.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new EphemeshError(
      "DEPLOYMENT_UNREADABLE",
      `The deployment ${file} cannot be used: ${cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message}.`,
      "Set chain.deployment to the folder that scripts/deploy wrote, or to the one that the consortium published.",
      { cause },
    );
  }
}

/** A client whose calls go through the pool. */
export function connectChain(pool: RpcPool, deployment: Deployment): PublicClient {
  return createPublicClient({
    chain: defineChain({
      id: deployment.chainId,
      name: `chain-${deployment.chainId}`,
      nativeCurrency: { name: "gas", symbol: "GAS", decimals: 18 },
      rpcUrls: { default: { http: [] } },
    }),
    transport: custom(
      { request: ({ method, params }) => pool.request(method, (params as readonly unknown[] | undefined) ?? []) },
      { retryCount: 0 },
    ),
    pollingInterval: 100,
    cacheTime: 0,
  });
}

/** Refuses a node of another chain and addresses without our contracts, before anything is signed. @throws EphemeshError RPC_UNREACHABLE, WRONG_CHAIN, WRONG_CONTRACT */
export async function checkDeployment(client: PublicClient, deployment: Deployment): Promise<void> {
  const chainId = await client.getChainId().catch((cause: unknown) => {
    throw rpcError(cause);
  });
  if (chainId !== deployment.chainId)
    throw new EphemeshError(
      "WRONG_CHAIN",
      `The RPC node serves chain ${chainId}, the deployment is on chain ${deployment.chainId}. Nothing was signed.`,
      "Correct chain.rpc or chain.deployment.",
    );
  const { membership, auction, escrow, reputation, token } = deployment;
  for (const [name, address] of Object.entries({ membership, auction, escrow, reputation, token })) {
    const code = await client.getCode({ address }).catch((cause: unknown) => {
      throw rpcError(cause);
    });
    if (!code || code === "0x")
      throw new EphemeshError(
        "WRONG_CONTRACT",
        `There is no contract at ${address}, where the deployment has ${name}. Nothing was signed.`,
        "The deployment belongs to another chain, or the chain was started anew: correct chain.deployment.",
      );
  }
}

/** A node or a block has this very transaction. Nodes give no code for it, and word it differently (geth, Besu, anvil). */
export function isSentAlready(error: unknown): boolean {
  return /already (known|imported)|\bknown transaction|nonce too low/i.test(String(error));
}

/** Sends signed bytes; that a node or a block has them already is as good. @throws EphemeshError RPC_UNREACHABLE, RPC_REFUSED */
export async function submit(client: PublicClient, raw: Hex): Promise<void> {
  await client.sendRawTransaction({ serializedTransaction: raw }).catch((error: unknown) => {
    if (!isSentAlready(error)) throw rpcError(error);
  });
}

export function rpcError(cause: unknown): EphemeshError {
  if (cause instanceof EphemeshError) return cause;
  const text = cause instanceof Error ? (cause.message.split("\n")[0] ?? cause.name) : String(cause);
  const told = cause instanceof BaseError ? cause.walk((e) => e instanceof EphemeshError) : null;
  if (told instanceof EphemeshError) return told;
  const answered = cause instanceof BaseError ? cause.walk((e) => e instanceof RpcRequestError) : null;
  if (answered instanceof RpcRequestError)
    return new EphemeshError(
      "RPC_REFUSED",
      `The RPC node answers with an error: ${answered.details ?? text}.`,
      "The agent tries again. If it lasts, check the node's gas price, gas limit and genesis (docs/decisions/0010-no-consensus-of-our-own.md).",
      { retryable: true, cause },
    );
  return new EphemeshError(
    "RPC_UNREACHABLE",
    `No RPC node answers: ${text} Leases that run continue; nothing new is started.`,
    "The agent tries again. Check chain.rpc and the network path to the node; `ephemesh doctor` tries each URL.",
    { retryable: true, cause },
  );
}
