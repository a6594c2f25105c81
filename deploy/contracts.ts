/**
 * Deploys the contracts with all transactions at once, from deployments/creation-code.json, without compiler and Hardhat.
 * For the lab and tests; `scripts/deploy` does the same with a journal (Ignition).
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import {
  type Abi,
  createPublicClient,
  createWalletClient,
  encodeDeployData,
  getContractAddress,
  type Hex,
  http,
  type PublicClient,
  parseAbi,
  type Transport,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { EphemeshError } from "../agent/model/errors.ts";

export interface Constants {
  readonly auction: {
    readonly urgentBlocks: number;
    readonly normalBlocks: number;
    readonly clearBlocks: number;
    readonly minBond: bigint;
    readonly openDeposit: bigint;
    readonly minScore: number;
    readonly maxCosine: number;
  };
  readonly escrow: { readonly priceUnit: bigint; readonly creditFee: bigint; readonly fullBond: bigint };
}

/** Content of `deployment.json`; the agent's `chain.deployment` names its folder. */
export interface Deployment {
  readonly chainId: number;
  readonly fromBlock: number;
  readonly manager: Hex;
  readonly membership: Hex;
  readonly auction: Hex;
  readonly escrow: Hex;
  readonly reputation: Hex;
  readonly token: Hex;
  readonly constants: Constants;
}

/** In a cell of less than 100 km an opener could choose its competitors. */
const MIN_RADIUS_COSINE = Math.floor(1e9 * Math.cos(100 / 6371));

/** One validator, blocks of a second or on demand. A price unit is 0.0001 of a token with six decimals. */
export const EMBEDDED_CONSTANTS: Constants = {
  auction: {
    urgentBlocks: 5,
    normalBlocks: 20,
    clearBlocks: 60,
    minBond: 1_000n,
    openDeposit: 10_000n,
    minScore: 500,
    maxCosine: MIN_RADIUS_COSINE,
  },
  escrow: { priceUnit: 100n, creditFee: 1_000n, fullBond: 10_000_000n },
};

/** Seven validators, blocks of a second: two full rotations are 14 blocks. */
export const CONSORTIUM_CONSTANTS: Constants = {
  auction: { ...EMBEDDED_CONSTANTS.auction, urgentBlocks: 14, normalBlocks: 60, clearBlocks: 600 },
  escrow: EMBEDDED_CONSTANTS.escrow,
};

export interface DeployOptions {
  readonly rpcUrl?: string;
  /** Instead of `rpcUrl`: an in-process chain. */
  readonly transport?: Transport;
  readonly deployerKey: Hex;
  readonly constants: Constants;
  /** The consortium's multisig; the deployer where none is named. */
  readonly consortium?: Hex;
  /** An existing settlement token; absent: the demo's is deployed, and the deployer may mint. */
  readonly token?: Hex;
  /** Where `deployment.json` is written; absent: it is not written. */
  readonly directory?: string;
  /** Instead of creation-code.json: bytes with counters in them, when coverage is measured. */
  readonly creationCode?: Readonly<Record<ContractName, Hex>>;
}

type ContractName = "SettlementToken" | "AccessManager" | "Membership" | "LeaseEscrow" | "CapacityAuction";

const creationCode = JSON.parse(
  readFileSync(new URL("../deployments/creation-code.json", import.meta.url), "utf8"),
) as Record<ContractName, Hex>;

const constructors = {
  SettlementToken: parseAbi(["constructor(address issuer)"]),
  AccessManager: parseAbi(["constructor(address initialAdmin)"]),
  Membership: parseAbi(["constructor(address consortium)"]),
  LeaseEscrow: parseAbi([
    "constructor(address membership, address token, address auction, (uint64 priceUnit, uint64 creditFee, uint64 fullBond) constants)",
  ]),
  CapacityAuction: parseAbi([
    "constructor(address membership, address escrow, (uint16 urgentBlocks, uint16 normalBlocks, uint32 clearBlocks, uint64 minBond, uint64 openDeposit, uint16 minScore, int32 maxCosine) constants)",
  ]),
} satisfies Record<ContractName, Abi>;

const GAS = 9_000_000n;
/** Counters make the bytes longer. */
const GAS_WITH_COUNTERS = 28_000_000n;
const BLOCK_WAIT_MILLIS = 60_000;

/** @throws EphemeshError DEPLOYMENT_FAILED */
export async function deployContracts(options: DeployOptions): Promise<Deployment> {
  const transport = options.transport ?? http(options.rpcUrl);
  const account = privateKeyToAccount(options.deployerKey);
  const client = createPublicClient({ transport, pollingInterval: 50, cacheTime: 0 });
  const [chainId, firstNonce, block] = await Promise.all([
    client.getChainId(),
    client.getTransactionCount({ address: account.address, blockTag: "pending" }),
    client.getBlock(),
  ]);
  const wallet = createWalletClient({ account, transport });
  // A chain without base fee accepts price 0; one with a base fee suggests a price.
  const gasPrice = block.baseFeePerGas ? await client.getGasPrice() : 0n;

  let nonce = firstNonce;
  const sent: { name: ContractName; hash: Hex }[] = [];
  const create = async (name: ContractName, args: readonly unknown[]): Promise<Hex> => {
    const bytecode = (options.creationCode ?? creationCode)[name];
    const data = encodeDeployData({ abi: constructors[name] as Abi, bytecode, args: [...args] });
    const address = getContractAddress({ from: account.address, nonce: BigInt(nonce) });
    const hash = await wallet.sendTransaction({
      data,
      nonce: nonce++,
      gas: options.creationCode ? GAS_WITH_COUNTERS : GAS,
      gasPrice,
      type: "legacy",
      chain: null,
    });
    sent.push({ name, hash });
    return address;
  };
  const consortium = options.consortium ?? account.address;
  const token = options.token ?? (await create("SettlementToken", [account.address]));
  const manager = await create("AccessManager", [consortium]);
  const membership = await create("Membership", [manager]);
  // The escrow is created with the auction's later address; the auction refuses an escrow that names another address.
  const auction = getContractAddress({ from: account.address, nonce: BigInt(nonce + 1) });
  const escrow = await create("LeaseEscrow", [membership, token, auction, options.constants.escrow]);
  await create("CapacityAuction", [membership, escrow, options.constants.auction]);
  for (const { name, hash } of sent) await requireCreated(client, name, hash);

  const reputation = await client.readContract({
    address: escrow,
    abi: parseAbi(["function reputation() view returns (address)"]),
    functionName: "reputation",
  });
  const deployment: Deployment = {
    chainId,
    fromBlock: Number(block.number) + 1,
    manager,
    membership,
    auction,
    escrow,
    reputation,
    token,
    constants: options.constants,
  };
  if (options.directory !== undefined) writeDeployment(options.directory, deployment);
  return deployment;
}

export function writeDeployment(directory: string, deployment: Deployment): void {
  mkdirSync(directory, { recursive: true });
  const text = JSON.stringify(deployment, (_, value) => (typeof value === "bigint" ? value.toString() : value), 2);
  writeFileSync(`${directory}/deployment.json.new`, `${text}\n`);
  renameSync(`${directory}/deployment.json.new`, `${directory}/deployment.json`);
}

async function requireCreated(client: PublicClient, name: ContractName, hash: Hex): Promise<void> {
  const { status } = await client.waitForTransactionReceipt({ hash, timeout: BLOCK_WAIT_MILLIS });
  if (status === "success") return;
  throw new EphemeshError(
    "DEPLOYMENT_FAILED",
    `${name} could not be created (transaction ${hash}).`,
    "Nothing that was deployed before it is in use. Check the constants and the deployer's balance, then deploy again.",
  );
}
