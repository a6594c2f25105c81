/** A market on Hardhat's in-process chain: contracts as they are deployed everywhere, regions with keys and money. */
import { artifacts, globalOptions, network } from "hardhat";
import {
  type Abi,
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createTestClient,
  createWalletClient,
  custom,
  decodeErrorResult,
  decodeEventLog,
  type Hex,
  keccak256,
  type Log,
  parseAbi,
  stringToBytes,
  type TransactionReceipt,
  toHex,
} from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { clearBook, type RevealedOrder } from "../../agent/auction/clearing.ts";
import { commitmentOf, SIDES, type Side } from "../../agent/auction/commitment.ts";
import { type GrantTerms, type LeaseTuple, leaseProof, unpackLease } from "../../agent/auction/leases.ts";
import { capacityAuctionAbi } from "../../agent/chain/abi/capacity-auction.ts";
import { leaseEscrowAbi } from "../../agent/chain/abi/lease-escrow.ts";
import { membershipAbi } from "../../agent/chain/abi/membership.ts";
import { reputationAbi } from "../../agent/chain/abi/reputation.ts";
import { settlementTokenAbi } from "../../agent/chain/abi/settlement-token.ts";
import { type Receipt, receiptTypedData } from "../../agent/lease/receipt.ts";
import { type Constants, type Deployment, type DeployOptions, deployContracts } from "../../deploy/contracts.ts";

export const NONE = 65_535;
export const DAY = 86_400;
export const TEST_CONSTANTS: Constants = {
  auction: {
    urgentBlocks: 16,
    normalBlocks: 40,
    clearBlocks: 10,
    minBond: 1_000n,
    openDeposit: 500n,
    minScore: 500,
    maxCosine: 999_876_818,
  },
  escrow: { priceUnit: 100n, creditFee: 1_000n, fullBond: 1_000_000n },
};

export interface TestRegion {
  readonly id: number;
  readonly organisation: number;
  readonly treasury: PrivateKeyAccount;
  readonly agent: PrivateKeyAccount;
}

export interface TestOrder {
  readonly region: TestRegion;
  readonly side: Side;
  readonly price: number;
  readonly lots: number;
  readonly boostBps?: number;
  readonly bond?: bigint;
  /** Never revealed. */
  readonly silent?: boolean;
}

export interface Sealed {
  readonly index: number;
  readonly regionId: number;
  readonly side: number;
  readonly price: number;
  readonly lots: number;
  readonly boostBps: number;
  readonly bond: bigint;
  readonly salt: Hex;
}

export interface Grant {
  readonly auctionId: number;
  readonly terms: GrantTerms;
  readonly words: readonly bigint[];
  readonly leases: readonly LeaseTuple[];
}

export interface Event {
  readonly name: string;
  readonly args: Record<string, unknown>;
}

export function testKey(name: string): PrivateKeyAccount {
  return privateKeyToAccount(keccak256(stringToBytes(`test ${name}`)));
}

const contracts = {
  membership: membershipAbi,
  auction: capacityAuctionAbi,
  escrow: leaseEscrowAbi,
  reputation: reputationAbi,
  token: settlementTokenAbi,
} as const;
export type ContractName = keyof typeof contracts;

/** Orders name their region, organisation = region unless said otherwise, all near one another on fabric 0. */
export class Market {
  readonly deployment: Deployment;
  readonly client;
  readonly chain;
  readonly #wallet;
  readonly regions: TestRegion[] = [];
  readonly consortium: PrivateKeyAccount;

  private constructor(deployment: Deployment, consortium: PrivateKeyAccount, transport: ReturnType<typeof custom>) {
    this.deployment = deployment;
    this.consortium = consortium;
    this.client = createPublicClient({ transport, cacheTime: 0, pollingInterval: 5 });
    this.chain = createTestClient({ mode: "hardhat", transport });
    this.#wallet = (account: PrivateKeyAccount) => createWalletClient({ account, transport });
  }

  /** @param token an artifact whose constructor takes the issuer; absent: the demo's token. */
  static async create(regions = 4, constants = TEST_CONSTANTS, token?: string, tokenAddress?: Hex): Promise<Market> {
    const { provider } = await network.create();
    // A refusal is an answer: it is not asked for again.
    const transport = custom(provider, { retryCount: 0 });
    const consortium = testKey("consortium");
    const chain = createTestClient({ mode: "hardhat", transport });
    await chain.setBalance({ address: consortium.address, value: 10n ** 24n });
    const deployment = await deployContracts({
      transport,
      deployerKey: keccak256(stringToBytes("test consortium")),
      constants,
      ...(token ? { token: await deployToken(token, consortium, transport) } : {}),
      ...(tokenAddress ? { token: tokenAddress } : {}),
      ...(globalOptions.coverage ? { creationCode: await codeOfThisBuild() } : {}),
    });
    const market = new Market(deployment, consortium, transport);
    await market.send(consortium, "membership", "addFabric", ["ix-one"]);
    await market.send(consortium, "membership", "addFabric", ["ix-two"]);
    for (let i = 1; i <= regions; i++) await market.admit();
    return market;
  }

  /** Admits one more region, with money, allowance and a full membership bond. */
  async admit(options: Partial<ReturnType<typeof admissionOf>> = {}): Promise<TestRegion> {
    const id = this.regions.length + 1;
    const [treasury, agent] = [testKey(`treasury ${id}`), testKey(`agent ${id}`)];
    for (const { address } of [treasury, agent]) await this.chain.setBalance({ address, value: 10n ** 24n });
    const admission = { ...admissionOf(id, treasury.address, agent.address), ...options };
    await this.send(this.consortium, "membership", "admit", [admission]);
    const region = { id, organisation: admission.organisation, treasury, agent };
    this.regions.push(region);
    await this.fund(region, 2_000_000_000n);
    await this.send(treasury, "escrow", "setAllowance", [id, 1_000_000_000n]);
    await this.send(treasury, "escrow", "postBond", [id, this.deployment.constants.escrow.fullBond]);
    return region;
  }

  async fund(region: TestRegion, units: bigint): Promise<void> {
    const amount = units * this.deployment.constants.escrow.priceUnit;
    await this.send(this.consortium, "token", "mint", [region.treasury.address, amount]);
    await this.send(region.treasury, "token", "approve", [this.deployment.escrow, amount]);
    await this.send(region.treasury, "escrow", "deposit", [region.id, units]);
  }

  region(id: number): TestRegion {
    return this.regions[id - 1]!;
  }

  async read<T>(contract: ContractName, functionName: string, args: readonly unknown[] = []): Promise<T> {
    const abi: Abi = contracts[contract];
    return (await this.client.readContract({ address: this.deployment[contract], abi, functionName, args })) as T;
  }

  /** Sends as a whole transaction, in a block of its own. Refusals throw with their name (`refusalOf`). */
  async send(
    from: PrivateKeyAccount,
    contract: ContractName,
    functionName: string,
    args: readonly unknown[],
  ): Promise<TransactionReceipt> {
    const call = { address: this.deployment[contract], abi: contracts[contract] as Abi, functionName, args };
    await this.client.simulateContract({ ...call, account: from, blockTag: "pending" });
    const hash = await this.#wallet(from).writeContract({ ...call, chain: null, gas: 15_000_000n });
    const receipt = await this.client.waitForTransactionReceipt({ hash });
    if (receipt.status !== "success") throw new Error(`${functionName} was mined and failed`);
    return receipt;
  }

  /** A call to a contract that this market does not know. */
  async call(from: PrivateKeyAccount, address: Hex, signature: string, args: readonly unknown[]): Promise<void> {
    const abi = parseAbi([signature]) as Abi;
    const functionName = /function (\w+)/.exec(signature)![1]!;
    const hash = await this.#wallet(from).writeContract({
      address,
      abi,
      functionName,
      args,
      chain: null,
      gas: 1_000_000n,
    });
    await this.client.waitForTransactionReceipt({ hash });
  }

  events(receipt: { readonly logs: readonly Log[] }): Event[] {
    return receipt.logs.flatMap((log) => {
      const name = (Object.keys(contracts) as ContractName[]).find(
        (c) => this.deployment[c].toLowerCase() === log.address.toLowerCase(),
      );
      if (!name) return [];
      const { eventName, args } = decodeEventLog({ abi: contracts[name] as Abi, data: log.data, topics: log.topics });
      return [{ name: eventName ?? "", args: args as unknown as Record<string, unknown> }];
    });
  }

  async open(opener: TestRegion, options: Partial<ReturnType<typeof termsOf>> = {}): Promise<number> {
    await this.send(opener.agent, "auction", "open", [opener.id, { ...termsOf(), ...options }]);
    return this.read<number>("auction", "auctionCount");
  }

  async commit(auctionId: number, order: TestOrder, from = order.region.agent): Promise<Sealed> {
    return (await this.commitWithReceipt(auctionId, order, from)).sealed;
  }

  async commitWithReceipt(
    auctionId: number,
    order: TestOrder,
    from = order.region.agent,
  ): Promise<{ sealed: Sealed; receipt: TransactionReceipt }> {
    const { slots } = await this.read<{ slots: number }>("auction", "auction", [auctionId]);
    const { sealed, commitment } = this.#seal(auctionId, order, slots);
    const receipt = await this.send(from, "auction", "commit", [
      auctionId,
      order.region.id,
      sealed.side,
      sealed.bond,
      commitment,
    ]);
    const index = this.events(receipt).find(({ name }) => name === "OrderCommitted")!.args.index as number;
    return { sealed: { ...sealed, index }, receipt };
  }

  /** Many commits in few blocks, so that a large book fits into its commit phase. */
  async commitTogether(auctionId: number, orders: readonly TestOrder[]): Promise<Sealed[]> {
    const { slots } = await this.read<{ slots: number }>("auction", "auction", [auctionId]);
    await this.chain.setAutomine(false);
    const all: Sealed[] = [];
    for (const [index, order] of orders.entries()) {
      const { sealed, commitment } = this.#seal(auctionId, order, slots);
      all.push({ ...sealed, index });
      const wallet = this.#wallet(order.region.agent);
      const args = [auctionId, order.region.id, sealed.side, sealed.bond, commitment] as const;
      // A falling price keeps the pool in the order of sending.
      const gasPrice = 10n ** 12n - BigInt(index);
      await wallet.writeContract({
        address: this.deployment.auction,
        abi: capacityAuctionAbi,
        functionName: "commit",
        args,
        chain: null,
        gas: 200_000n,
        gasPrice,
      });
      if (index % 60 === 59) await this.chain.mine({ blocks: 1 });
    }
    await this.chain.mine({ blocks: 1 });
    await this.chain.setAutomine(true);
    const { orders: count } = await this.read<{ orders: number }>("auction", "auction", [auctionId]);
    if (count !== orders.length) throw new Error(`${orders.length} orders were sent, ${count} are in the book`);
    return all;
  }

  #seal(auctionId: number, order: TestOrder, slots: number): { sealed: Sealed; commitment: Hex } {
    const { side, price, lots, boostBps = 0, region } = order;
    const least = (BigInt(price) * BigInt(lots) * BigInt(slots) + 4n) / 5n;
    const { minBond } = this.deployment.constants.auction;
    const bond = order.bond ?? (least > minBond ? least : minBond);
    const salt = keccak256(toHex(`salt ${auctionId} ${region.id}`));
    const { chainId, auction } = this.deployment;
    const commitment = commitmentOf({
      chainId,
      auction,
      auctionId,
      regionId: region.id,
      side,
      price,
      lots,
      boostBps,
      salt,
    });
    return {
      sealed: { index: 0, regionId: region.id, side: SIDES.indexOf(side), price, lots, boostBps, bond, salt },
      commitment,
    };
  }

  /** Mines until the next block is the first of the auction's next phase. */
  async passPhase(auctionId: number): Promise<void> {
    type Blocks = { readonly lastCommitBlock: bigint; readonly lastRevealBlock: bigint };
    const { lastCommitBlock, lastRevealBlock } = await this.read<Blocks>("auction", "auction", [auctionId]);
    const now = await this.client.getBlockNumber();
    const target = now < lastCommitBlock ? lastCommitBlock : lastRevealBlock;
    if (target > now) await this.chain.mine({ blocks: Number(target - now) });
  }

  /** Commits, reveals and clears; what was won is left to collect. */
  async trade(
    auctionId: number,
    orders: readonly TestOrder[],
  ): Promise<{ sealed: Sealed[]; grant: Grant | null; receipt: TransactionReceipt }> {
    const sealed: Sealed[] = [];
    for (const order of orders) sealed.push(await this.commit(auctionId, order));
    await this.passPhase(auctionId);
    const shown = sealed.filter((_, i) => !orders[i]!.silent);
    for (const order of shown) await this.send(this.consortium, "auction", "reveal", [auctionId, order]);
    await this.passPhase(auctionId);
    const { receipt, grant } = await this.clear(auctionId);
    return { sealed, receipt, grant };
  }

  async book(auctionId: number): Promise<RevealedOrder[]> {
    const views = await this.read<
      { index: number; revealed: boolean; side: number; price: number; lots: number; score: number; bps: number }[]
    >("auction", "orders", [auctionId]);
    return views.filter(({ revealed }) => revealed).map((v) => ({ ...v, side: SIDES[v.side]! }));
  }

  async clear(auctionId: number): Promise<{ receipt: TransactionReceipt; grant: Grant | null }> {
    const { priceCap } = await this.read<{ priceCap: number }>("auction", "auction", [auctionId]);
    const clearing = clearBook(await this.book(auctionId), priceCap);
    const { bid, ask } = clearing?.certificate ?? { bid: NONE, ask: NONE };
    const receipt = await this.send(this.consortium, "auction", "clear", [auctionId, bid, ask]);
    const granted = this.events(receipt).find(({ name }) => name === "LeasesGranted")?.args;
    return { receipt, grant: granted ? grantOf(granted) : null };
  }

  async collectAll(auctionId: number, indices: readonly number[]): Promise<TransactionReceipt> {
    return this.send(this.consortium, "auction", "collect", [auctionId, indices]);
  }

  async now(): Promise<number> {
    return Number((await this.client.getBlock()).timestamp);
  }

  async warpTo(seconds: number): Promise<void> {
    const now = await this.now();
    if (seconds <= now) return;
    await this.chain.setNextBlockTimestamp({ timestamp: BigInt(seconds) });
    await this.chain.mine({ blocks: 1 });
  }

  receiptFor(grant: Grant, index: number, epochs: number, options: Partial<Receipt> = {}): Receipt {
    return {
      leaseId: leaseId(grant.auctionId, index),
      epochs,
      available: epochs * 10,
      packetsToBuyer: 1_000n,
      bytesToBuyer: 1_000_000n,
      packetsToSeller: 500n,
      bytesToSeller: 50_000n,
      worstRttMicros: 12_000,
      worstLossPpm: 40,
      release: false,
      previous: `0x${"00".repeat(32)}`,
      ...options,
    };
  }

  async sign(receipt: Receipt, by: PrivateKeyAccount): Promise<Hex> {
    return by.signTypedData(receiptTypedData(this.deployment.chainId, this.deployment.escrow, receipt));
  }

  /** Posts a receipt that both agents have signed. */
  async settle(grant: Grant, index: number, receipt: Receipt, from = this.consortium): Promise<TransactionReceipt> {
    const lease = grant.leases[index]!;
    const seller = await this.sign(receipt, this.region(lease.seller).agent);
    const buyer = await this.sign(receipt, this.region(lease.buyer).agent);
    return this.send(from, "escrow", "settle", [
      lease,
      leaseProof(grant.words, grant.terms, index),
      receipt,
      seller,
      buyer,
    ]);
  }

  account(region: TestRegion): Promise<AccountView> {
    return this.read<AccountView>("escrow", "account", [region.id]);
  }
}

async function deployToken(
  name: string,
  issuer: PrivateKeyAccount,
  transport: ReturnType<typeof custom>,
): Promise<Hex> {
  const { abi, bytecode } = await artifacts.readArtifact(name);
  const wallet = createWalletClient({ account: issuer, transport });
  const hash = await wallet.deployContract({
    abi: abi as Abi,
    bytecode: bytecode as Hex,
    args: [issuer.address],
    chain: null,
  });
  const { contractAddress } = await createPublicClient({ transport, pollingInterval: 5 }).waitForTransactionReceipt({
    hash,
  });
  return contractAddress!;
}

export interface AccountView {
  readonly free: bigint;
  readonly locked: bigint;
  readonly bonded: bigint;
  readonly membershipBond: bigint;
  readonly allowance: bigint;
  readonly bondExitAt: number;
}

export function leaseId(auctionId: number, index: number): Hex {
  return keccak256(`0x${auctionId.toString(16).padStart(64, "0")}${index.toString(16).padStart(64, "0")}`);
}

export function grantOf(args: Record<string, unknown>): Grant {
  const granted = args as {
    auctionId: number;
    start: number;
    slots: number;
    lotMbps: number;
    price: number;
    week: number;
    leases: readonly bigint[];
  };
  const { auctionId, slots, lotMbps, price, week } = granted;
  const terms = { startSeconds: granted.start, slots, lotMbps, price, week };
  return {
    auctionId,
    terms,
    words: granted.leases,
    leases: granted.leases.map((word, i) => unpackLease(auctionId, i, word, terms)),
  };
}

/** The name and arguments of the custom error that a call was refused with. */
export async function refusalOf(sending: Promise<unknown>): Promise<{ name: string; args: readonly unknown[] }> {
  try {
    await sending;
  } catch (error) {
    if (!(error instanceof BaseError)) throw error;
    const reverted = error.walk((e) => e instanceof ContractFunctionRevertedError);
    if (reverted instanceof ContractFunctionRevertedError && reverted.data)
      return { name: reverted.data.errorName, args: reverted.data.args ?? [] };
    // What the node cannot name for want of a source line it still hands over.
    const data = /(?:return data: |custom error ')(0x[0-9a-f]+|\w+)/.exec(error.details ?? error.message)?.[1];
    if (data === undefined) return { name: error.shortMessage, args: [] };
    if (!data.startsWith("0x")) return { name: data, args: [] };
    const { errorName, args } = decodeErrorResult({ abi: Object.values(contracts).flat() as Abi, data: data as Hex });
    return { name: errorName, args: args ?? [] };
  }
  throw new Error("nothing was refused");
}

export function termsOf() {
  return {
    kind: 1,
    earlier: 0,
    fabric: 0,
    cosine: 990_000_000,
    attributes: 0,
    requiresMinScore: false,
    latencyBoundMicros: 40_000,
    lotMbps: 100,
    slots: 60,
    earliestStart: 0,
    priceCap: 10_000,
    profile: 0,
  };
}

export function admissionOf(id: number, treasury: Hex, agent: Hex) {
  return {
    name: `region-${id}`,
    organisation: id,
    treasury,
    agent,
    routingKey: keccak256(stringToBytes(`routing ${id}`)),
    place: placeAt(50, 8 + (id % 50) / 10),
    attributes: 1,
    fabrics: 1n,
    prefixes: [{ network: (0xffffn << 32n) | (10n << 24n) | (BigInt(id) << 12n), length: 116 }],
    controlUrls: [{ fabric: 0, url: `http://192.0.2.${id % 256}:7357` }],
  };
}

/** Creation code as Hardhat built it just now: with `--coverage` it counts the lines that run. */
async function codeOfThisBuild(): Promise<NonNullable<DeployOptions["creationCode"]>> {
  const names = ["SettlementToken", "AccessManager", "Membership", "LeaseEscrow", "CapacityAuction"] as const;
  const built = names.map(async (name) => [name, (await artifacts.readArtifact(name)).bytecode as Hex] as const);
  return Object.fromEntries(await Promise.all(built)) as NonNullable<DeployOptions["creationCode"]>;
}

export function placeAt(latitude: number, longitude: number) {
  const [lat, lon] = [(latitude * Math.PI) / 180, (longitude * Math.PI) / 180];
  return {
    x: Math.round(1e9 * Math.cos(lat) * Math.cos(lon)),
    y: Math.round(1e9 * Math.cos(lat) * Math.sin(lon)),
    z: Math.round(1e9 * Math.sin(lat)),
  };
}
