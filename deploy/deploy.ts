/**
 * scripts/deploy --rpc URL --key FILE [--constants consortium|embedded] [--consortium ADDRESS] [--token ADDRESS]
 *
 * Deploys by Hardhat Ignition into `deployments/chain-<id>`: its journal and artifacts, and `deployment.json`, which
 * agents and console read. Asked again after a crash it goes on; when all is there it changes nothing.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { network } from "hardhat";
import { createPublicClient, getContractAddress, type Hex, http, isAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { describeError, EphemeshError } from "../agent/model/errors.ts";
import { CONSORTIUM_CONSTANTS, EMBEDDED_CONSTANTS, writeDeployment } from "./contracts.ts";
import { ephemeshModule } from "./module.ts";

const USAGE =
  "scripts/deploy --rpc URL --key FILE [--constants consortium|embedded] [--consortium ADDRESS] [--token ADDRESS]";
const CONSTANTS = { consortium: CONSORTIUM_CONSTANTS, embedded: EMBEDDED_CONSTANTS };

try {
  await deploy();
} catch (error) {
  console.error(describeError(error));
  process.exitCode = 1;
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
    console.log(`chain ${chainId} has its deployment: ${folder}/deployment.json; nothing was sent.`);
    return;
  }
  const connection = await network.create({
    network: "target",
    override: { url: rpc, accounts: [key], gasPrice: 0n },
  });
  const constants = CONSTANTS[profile];
  const { fromBlock, parameters } = await planOnce(`${folder}/plan.json`, async () => {
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
  const deployed = await connection.ignition.deploy(ephemeshModule(token !== undefined), {
    parameters: { Ephemesh: parameters },
    deploymentId: `chain-${chainId}`,
  });
  const entries = await Promise.all(
    Object.entries(deployed).map(async ([name, contract]) => [name, await contract.getAddress()] as const),
  );
  const {
    manager,
    membership,
    auction,
    escrow,
    reputation,
    token: tokenAddress,
  } = Object.fromEntries(entries) as Record<keyof typeof deployed, Hex>;
  writeDeployment(folder, {
    chainId,
    fromBlock,
    manager,
    membership,
    auction,
    escrow,
    reputation,
    token: tokenAddress,
    constants,
  });
  console.log(`chain ${chainId}: deployed into ${folder}`);
  for (const [name, address] of entries) console.log(`  ${name.padEnd(11)} ${address}`);
}

interface Plan {
  readonly fromBlock: number;
  readonly parameters: { readonly [name: string]: string | Record<string, string | number> };
}

/** Where the auction will be must not change when a deployment goes on after a crash: it is written down first. */
async function planOnce(file: string, make: () => Promise<Plan>): Promise<Plan> {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(await make(), null, 2)}\n`);
  }
  return JSON.parse(readFileSync(file, "utf8")) as Plan;
}

function plain(constants: Record<string, bigint | number>): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(constants).map(([name, value]) => [name, typeof value === "bigint" ? value.toString() : value]),
  );
}

function readOptions() {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { rpc: text, key: text, constants: text, consortium: text, token: text } });
  const { rpc, key: keyFile, constants = "consortium", consortium, token } = values;
  if (!rpc || !keyFile) throw usage("--rpc and --key are needed");
  if (constants !== "consortium" && constants !== "embedded")
    throw usage(`--constants ${constants} is neither consortium nor embedded`);
  for (const address of [consortium, token])
    if (address !== undefined && !isAddress(address)) throw usage(`${address} is not an address`);
  if (!existsSync(keyFile)) throw usage(`there is no key file ${keyFile}`);
  const key = readFileSync(keyFile, "utf8").trim();
  if (!/^0x[0-9a-fA-F]{64}$/.test(key)) throw usage(`${keyFile} does not hold a key (0x and 64 hexadecimal digits)`);
  return { rpc, key: key as Hex, constants, consortium, token } as const;
}

function usage(what: string): EphemeshError {
  return new EphemeshError("USAGE", `${what}. Nothing was sent.`, USAGE);
}
