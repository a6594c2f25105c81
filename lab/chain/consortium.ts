/** The consortium of a lab: contracts on a new chain, and every region admitted with its keys, funded and bonded. */
import { generateKeyPairSync } from "node:crypto";
import { type Hex, maxUint256 } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { leaseEscrowAbi } from "../../agent/chain/abi/lease-escrow.ts";
import { membershipAbi } from "../../agent/chain/abi/membership.ts";
import { settlementTokenAbi } from "../../agent/chain/abi/settlement-token.ts";
import { parsePrefix } from "../../agent/model/prefix.ts";
import { placeOf } from "../../agent/model/region.ts";
import { type Deployment, deployContracts, EMBEDDED_CONSTANTS } from "../../deploy/contracts.ts";
import { fabricAddress, regionPrefixes } from "../layout/addressing.ts";
import { membersOf, regionIndex, type Topology } from "../layout/topology.ts";
import { LabWallet } from "./wallet.ts";

/** TCP port of the control channel in every region. */
export const CONTROL_PORT = 7357;
/** Price units that each treasury deposits in the escrow and allows its agent to spend. */
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

/** Deploys the contracts, writes the deployment into `directory`, and admits the regions in the order of the topology. */
export async function foundConsortium(topology: Topology, rpcUrl: string, directory: string): Promise<Consortium> {
  const founderKey = generatePrivateKey();
  const deployment = await deployContracts({
    rpcUrl,
    deployerKey: founderKey,
    constants: EMBEDDED_CONSTANTS,
    directory,
  });
  const founder = new LabWallet(rpcUrl, founderKey);
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
    await fund(rpcUrl, deployment, founder, region, bond);
  }
  return { deployment, regions, founderKey };
}

async function fund(
  rpcUrl: string,
  { token, escrow, constants }: Deployment,
  founder: LabWallet,
  region: LabRegion,
  bond: bigint,
): Promise<void> {
  const units = FUNDS + bond;
  const wallet = new LabWallet(rpcUrl, region.treasuryKey);
  const amount = units * constants.escrow.priceUnit;
  await founder.send(token, settlementTokenAbi, "mint", [wallet.account.address, amount]);
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
