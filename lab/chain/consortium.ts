/** The consortium of a lab: keys for each region, contracts on a fresh chain, every region admitted, funded and bonded. */
import { generateKeyPairSync } from "node:crypto";
import { type Abi, createPublicClient, createWalletClient, encodeFunctionData, type Hex, http, maxUint256 } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { leaseEscrowAbi } from "../../agent/chain/abi/lease-escrow.ts";
import { membershipAbi } from "../../agent/chain/abi/membership.ts";
import { settlementTokenAbi } from "../../agent/chain/abi/settlement-token.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { parsePrefix } from "../../agent/model/prefix.ts";
import { placeOf } from "../../agent/model/region.ts";
import { type Deployment, deployContracts, EMBEDDED_CONSTANTS } from "../../deploy/contracts.ts";
import { fabricAddress, regionPrefixes } from "../layout/addressing.ts";
import { membersOf, regionIndex, type Topology } from "../layout/topology.ts";

/** TCP port of the control channel, the same in every region. */
export const CONTROL_PORT = 7357;
const GAS = 3_000_000n;
/** Price units that each treasury puts into the escrow, and that its agent may use. */
const FUNDS = 2_000_000_000n;
const POST_QUANTUM = 1;

export interface LabRegion {
  readonly id: number;
  readonly name: string;
  readonly agentKey: Hex;
  readonly treasuryKey: Hex;
  /** PKCS#8, PEM. */
  readonly routingKeyPem: string;
  readonly routingKey: Hex;
}

export interface Consortium {
  readonly deployment: Deployment;
  readonly regions: readonly LabRegion[];
  readonly founderKey: Hex;
}

/** Deploys into `directory` and admits every region of the topology, in its order: region i of the lab is region i on chain. */
export async function foundConsortium(topology: Topology, rpcUrl: string, directory: string): Promise<Consortium> {
  const founderKey = generatePrivateKey();
  const deployment = await deployContracts({
    rpcUrl,
    deployerKey: founderKey,
    constants: EMBEDDED_CONSTANTS,
    directory,
  });
  const founder = new Wallet(rpcUrl, founderKey);
  const fabrics = topology.fabrics.map((fabric) => fabric.name);
  for (const fabric of fabrics) await founder.send(deployment.membership, membershipAbi, "addFabric", [fabric]);
  const regions = topology.regions.map(({ name }) => makeRegion(regionIndex(topology, name), name));
  const bond = deployment.constants.escrow.fullBond;
  for (const region of regions) {
    const { latitude, longitude } = topology.regions[region.id - 1]!;
    const [treasury, agent] = [privateKeyToAccount(region.treasuryKey), privateKeyToAccount(region.agentKey)];
    const attached = fabrics.flatMap((fabric, i) => (membersOf(topology, fabric).includes(region.name) ? [i] : []));
    const { ipv4, ipv6 } = regionPrefixes(region.id);
    await founder.send(deployment.membership, membershipAbi, "admit", [
      {
        name: region.name,
        organisation: region.id,
        treasury: treasury.address,
        agent: agent.address,
        routingKey: region.routingKey,
        place: placeOf(latitude, longitude),
        attributes: POST_QUANTUM,
        fabrics: attached.reduce((bits, i) => bits | (1n << BigInt(i)), 0n),
        prefixes: [parsePrefix(ipv4), parsePrefix(ipv6)],
        controlUrls: attached.map((i) => ({
          fabric: i,
          url: `http://${fabricAddress(i + 1, region.id).ipv4}:${CONTROL_PORT}`,
        })),
      },
    ]);
    await fund(rpcUrl, deployment, founder, treasury, region, bond);
  }
  return { deployment, regions, founderKey };
}

async function fund(
  rpcUrl: string,
  { token, escrow, constants }: Deployment,
  founder: Wallet,
  treasury: PrivateKeyAccount,
  region: LabRegion,
  bond: bigint,
): Promise<void> {
  const units = FUNDS + bond;
  await founder.send(token, settlementTokenAbi, "mint", [treasury.address, units * constants.escrow.priceUnit]);
  const wallet = new Wallet(rpcUrl, region.treasuryKey);
  await wallet.send(token, settlementTokenAbi, "approve", [escrow, maxUint256]);
  await wallet.send(escrow, leaseEscrowAbi, "deposit", [region.id, units]);
  await wallet.send(escrow, leaseEscrowAbi, "postBond", [region.id, bond]);
  await wallet.send(escrow, leaseEscrowAbi, "setAllowance", [region.id, FUNDS]);
}

function makeRegion(id: number, name: string): LabRegion {
  const routing = generateKeyPairSync("ed25519");
  return {
    id,
    name,
    agentKey: generatePrivateKey(),
    treasuryKey: generatePrivateKey(),
    routingKeyPem: routing.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    routingKey: `0x${Buffer.from(routing.publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex")}`,
  };
}

/** Sends from one key on a chain that mines every transaction at once. */
class Wallet {
  readonly #client;
  readonly #wallet;
  #nonce = 0;

  constructor(rpcUrl: string, key: Hex) {
    const transport = http(rpcUrl);
    this.#client = createPublicClient({ transport, pollingInterval: 10, cacheTime: 0 });
    this.#wallet = createWalletClient({ account: privateKeyToAccount(key), transport });
  }

  async send(to: Hex, abi: Abi | readonly unknown[], functionName: string, args: readonly unknown[]): Promise<void> {
    const nonce = Math.max(
      this.#nonce,
      await this.#client.getTransactionCount({ address: this.#wallet.account.address, blockTag: "pending" }),
    );
    this.#nonce = nonce + 1;
    const data = encodeFunctionData({ abi: abi as Abi, functionName, args: args as unknown[] });
    const hash = await this.#wallet.sendTransaction({
      to,
      data,
      nonce,
      gas: GAS,
      gasPrice: 0n,
      type: "legacy",
      chain: null,
    });
    const { status } = await this.#client.waitForTransactionReceipt({ hash });
    if (status !== "success")
      throw new EphemeshError(
        "LAB_TRANSACTION",
        `${functionName} failed (transaction ${hash}).`,
        "The lab's consortium is not usable; start it again.",
      );
  }
}
