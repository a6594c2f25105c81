/**
 * scripts/deploy --rpc URL --key FILE [--constants consortium|embedded] [--consortium ADDRESS] [--token ADDRESS]
 *
 * Deploys with Hardhat Ignition into `deployments/chain-<id>`: the plan, Ignition's journal and artifacts, and at the
 * end `deployment.json`, which agents and auditors read. Run again after a crash, it goes on with the same plan; run again
 * after the end, it changes nothing. Exit codes: 0 deployed, 1 failed, 2 wrong options.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { trackTransaction } from "@nomicfoundation/ignition-core";
import { network } from "hardhat";
import { createPublicClient, getContractAddress, type Hex, http, isAddress, type PublicClient } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { readSecret } from "../agent/config.ts";
import { describeError, EphemeshError } from "../agent/model/errors.ts";
import { buildContracts } from "./artifacts.ts";
import { CONSORTIUM_CONSTANTS, type Deployment, EMBEDDED_CONSTANTS, writeDeployment } from "./contracts.ts";
import { ephemeshModule } from "./module.ts";

const USAGE =
  "scripts/deploy --rpc URL --key FILE [--constants consortium|embedded] [--consortium ADDRESS] [--token ADDRESS]";
const CONSTANTS = { consortium: CONSORTIUM_CONSTANTS, embedded: EMBEDDED_CONSTANTS };

try {
  await deploy();
} catch (error) {
  console.error(describeError(error));
  process.exitCode = error instanceof EphemeshError && error.code === "USAGE" ? 2 : 1;
}

async function deploy(): Promise<void> {
  const { rpc, key, constants: profile, consortium, token } = readOptions();
  const deployer = privateKeyToAccount(key);
  const client = createPublicClient({ transport: http(rpc) });
  const chainId = await client.getChainId().catch((cause: unknown) => {
    throw new EphemeshError(
      "RPC_UNREACHABLE",
      `No RPC node answers at ${rpc}. Nothing was sent.`,
      "Check --rpc and that the node runs.",
      { cause },
    );
  });
  const folder = `${fileURLToPath(new URL("../deployments", import.meta.url))}/chain-${chainId}`;
  if (existsSync(`${folder}/deployment.json`)) {
    await requireOnChain(client, folder);
    console.log(`chain ${chainId} has its deployment: ${folder}/deployment.json; nothing was sent.`);
    return;
  }
  const constants = CONSTANTS[profile];
  const options = { deployer: deployer.address, constants: profile, consortium, token };
  const { fromBlock, parameters } = await planOnce(folder, options, async () => {
    const nonce = await client.getTransactionCount({ address: deployer.address });
    const before = token ? 3 : 4;
    return {
      fromBlock: Number(await client.getBlockNumber()) + 1,
      parameters: {
        consortium: consortium ?? deployer.address,
        auctionAddress: getContractAddress({ from: deployer.address, nonce: BigInt(nonce + before) }),
        auction: plain(constants.auction),
        escrow: plain(constants.escrow),
        ...(token ? { token } : {}),
      },
    };
  });
  await buildContracts();
  const connection = await network.create({
    network: "target",
    override: { url: rpc, accounts: [key], gasPrice: 0n },
  });
  for (const nonce of unrecordedNonces(folder)) {
    const hash = await hashOf(client, deployer.address, nonce, BigInt(fromBlock));
    if (hash) await trackTransaction(folder, hash, connection.provider);
  }
  const deployed = await connection.ignition.deploy(ephemeshModule(token !== undefined), {
    parameters: { Ephemesh: parameters },
    deploymentId: `chain-${chainId}`,
  });
  const entries = await Promise.all(
    Object.entries(deployed).map(async ([name, contract]) => [name, await contract.getAddress()] as const),
  );
  const addresses = Object.fromEntries(entries) as Record<keyof typeof deployed, Hex>;
  writeDeployment(folder, { chainId, fromBlock, ...addresses, constants });
  console.log(`chain ${chainId}: deployed into ${folder}`);
  for (const [name, address] of entries) console.log(`  ${name.padEnd(11)} ${address}`);
}

/** A development chain that was started again has the same id and none of the contracts. */
async function requireOnChain(client: PublicClient, folder: string): Promise<void> {
  const { auction } = JSON.parse(readFileSync(`${folder}/deployment.json`, "utf8")) as Deployment;
  if (await client.getCode({ address: auction })) return;
  throw new EphemeshError(
    "DEPLOYMENT_NOT_ON_CHAIN",
    `${folder}/deployment.json names contracts that are not on this chain. Nothing was sent.`,
    "Check --rpc. If the chain was started anew, move the folder away and deploy again.",
  );
}

type Options = Readonly<Record<"deployer" | "constants" | "consortium" | "token", string | undefined>>;

interface Plan {
  readonly options: Options;
  readonly fromBlock: number;
  readonly parameters: { readonly [name: string]: string | Record<string, string | number> };
}

/**
 * The address of the auction must not change when a deployment goes on after a crash, so the plan is written before
 * the first transaction. Without Ignition's journal nothing was sent yet, and the plan is made anew.
 */
async function planOnce(folder: string, options: Options, make: () => Promise<Omit<Plan, "options">>): Promise<Plan> {
  const file = `${folder}/plan.json`;
  const wanted = JSON.parse(JSON.stringify(options)) as Options;
  if (existsSync(file) && existsSync(`${folder}/journal.jsonl`)) {
    const plan = JSON.parse(readFileSync(file, "utf8")) as Plan;
    if (isDeepStrictEqual(plan.options, wanted)) return plan;
    throw new EphemeshError(
      "DEPLOYMENT_DIFFERS",
      `The deployment in ${folder} was begun with other options: ${JSON.stringify(plan.options)}. Nothing was sent.`,
      "Deploy with the key and the options that it was begun with.",
    );
  }
  const plan = { options: wanted, ...(await make()) };
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(plan, null, 2)}\n`);
  renameSync(`${file}.new`, file);
  return plan;
}

/**
 * Ignition writes the hash of a transaction into its journal after it has sent it. A crash in between leaves a transaction
 * on the chain that the journal does not have.
 */
function unrecordedNonces(folder: string): readonly number[] {
  const file = `${folder}/journal.jsonl`;
  if (!existsSync(file)) return [];
  const nonces = new Set<number>();
  for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
    const { type, nonce } = JSON.parse(line) as { type: string; nonce?: number };
    if (nonce === undefined) continue;
    if (type === "TRANSACTION_PREPARE_SEND") nonces.add(nonce);
    if (type === "TRANSACTION_SEND") nonces.delete(nonce);
  }
  return [...nonces];
}

/** Of the sender's transaction with this nonce; null if it has sent none. */
async function hashOf(client: PublicClient, from: Hex, nonce: number, fromBlock: bigint): Promise<Hex | null> {
  if ((await client.getTransactionCount({ address: from, blockTag: "pending" })) <= nonce) return null;
  const find = (block: { transactions: readonly { hash: Hex; from: Hex; nonce: number }[] }) =>
    block.transactions.find((found) => found.nonce === nonce && found.from.toLowerCase() === from.toLowerCase())?.hash;
  const latest = await client.getBlockNumber();
  for (let blockNumber = fromBlock; blockNumber <= latest; blockNumber++) {
    const hash = find(await client.getBlock({ blockNumber, includeTransactions: true }));
    if (hash) return hash;
  }
  return find(await client.getBlock({ blockTag: "pending", includeTransactions: true })) ?? null;
}

function plain(constants: Record<string, bigint | number>): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(constants).map(([name, value]) => [name, typeof value === "bigint" ? value.toString() : value]),
  );
}

function readOptions() {
  const { rpc, key: keyFile, constants = "consortium", consortium, token } = parsedOptions();
  if (!rpc) throw usage("--rpc is missing");
  if (!keyFile) throw usage("--key is missing");
  if (!/^https?:$/.test(URL.parse(rpc)?.protocol ?? "")) throw usage(`--rpc ${rpc} is not an http or https URL`);
  if (constants !== "consortium" && constants !== "embedded")
    throw usage(`--constants ${constants} is neither consortium nor embedded`);
  for (const [name, address] of Object.entries({ consortium, token }))
    if (address !== undefined && !isAddress(address)) throw usage(`--${name} ${address} is not an address`);
  const key = readSecret(keyFile);
  if (!/^0x[0-9a-fA-F]{64}$/.test(key))
    throw usage(`--key ${keyFile} does not hold a key (0x and 64 hexadecimal digits)`);
  return { rpc, key: key as Hex, constants, consortium, token } as const;
}

function parsedOptions() {
  const text = { type: "string" } as const;
  try {
    return parseArgs({ options: { rpc: text, key: text, constants: text, consortium: text, token: text } }).values;
  } catch (error) {
    // Node's message says more than the first sentence, for programmers.
    throw usage((error as Error).message.split(/[.\n]/)[0]!);
  }
}

function usage(what: string): EphemeshError {
  return new EphemeshError("USAGE", `${what}. Nothing was sent.`, USAGE);
}
