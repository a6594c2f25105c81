/**
 * Two weeks of earlier leases on a chain whose clock stands in the past: real auctions, settled by receipts that both
 * agents sign, so that scores, budgets and prices of the past matter in what follows. Ends with the clock at the present.
 */
import {
  type Abi,
  createPublicClient,
  createTestClient,
  createWalletClient,
  type Hex,
  http,
  keccak256,
  stringToBytes,
  type TransactionReceipt,
} from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { clearBook, maxBoost } from "../../agent/auction/clearing.ts";
import { commitmentOf, SIDES, type Side } from "../../agent/auction/commitment.ts";
import { type GrantTerms, leaseIdOf, leaseProof, unpackLease } from "../../agent/auction/leases.ts";
import { capacityAuctionAbi } from "../../agent/chain/abi/capacity-auction.ts";
import { leaseEscrowAbi } from "../../agent/chain/abi/lease-escrow.ts";
import { membershipAbi } from "../../agent/chain/abi/membership.ts";
import { reputationAbi } from "../../agent/chain/abi/reputation.ts";
import { NO_RECEIPT, type Receipt, receiptTypedData } from "../../agent/lease/receipt.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import type { Deployment } from "../../deploy/contracts.ts";

export interface HistoryOptions {
  /** An anvil that mines every transaction at once; its clock stands in the past. */
  readonly rpcUrl: string;
  readonly deployment: Deployment;
  /** Admitted, funded, bonded, with an allowance for the agent. */
  readonly regions: readonly { readonly id: number; readonly agentKey: Hex }[];
  /** Where the clock ends, in seconds; absent: now. */
  readonly presentSeconds?: number;
  readonly auctions?: number;
  /** The leases of the last auction have run to their end, and nobody has settled them. */
  readonly lastUnsettled?: boolean;
  readonly progress?: (done: number, of: number) => void;
}

export interface HistorySummary {
  readonly auctions: number;
  readonly leases: number;
  /** 0..10^6, by region number, as of the present. */
  readonly scores: ReadonlyMap<number, number>;
}

const DAY = 86_400;
const AUCTIONS = 28;
const SLOTS = 60;
const EPOCHS = SLOTS * 6;
const LOT_MBPS = 100;
const PRICE_CAP = 9_000;
const LOTS_PER_ASK = 2;
const NORMAL_PROFILE = 1;
const NONE = 65_535;
const GAS = 5_000_000n;
/** Share of a lease's epochs that a seller keeps available, by its place among the regions: they must differ. */
const QUALITIES = [1, 0.995, 0.985, 0.97, 0.94, 0.9];

/** @throws EphemeshError HISTORY_CLOCK, HISTORY_REFUSED */
export async function makeHistory(options: HistoryOptions): Promise<HistorySummary> {
  return new History(options).make();
}

interface Trader {
  readonly id: number;
  readonly organisation: number;
  readonly fabrics: bigint;
  readonly quality: number;
  readonly agent: PrivateKeyAccount;
  nonce: number;
}

interface SealedOrder {
  readonly index: number;
  readonly regionId: number;
  readonly side: number;
  readonly price: number;
  readonly lots: number;
  readonly boostBps: number;
  readonly bond: bigint;
  readonly salt: Hex;
}

class History {
  readonly #options: HistoryOptions;
  readonly #client;
  readonly #chain;
  readonly #transport;
  #traders: Trader[] = [];

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#transport = http(options.rpcUrl);
    this.#client = createPublicClient({ transport: this.#transport, cacheTime: 0, pollingInterval: 5 });
    this.#chain = createTestClient({ mode: "anvil", transport: this.#transport });
  }

  async make(): Promise<HistorySummary> {
    const count = this.#options.auctions ?? AUCTIONS;
    const present = () => this.#options.presentSeconds ?? Math.floor(Date.now() / 1000);
    const begin = await this.#now();
    const step = Math.floor((present() - begin - DAY) / count);
    if (step < 2 * SLOTS * 60)
      throw new EphemeshError(
        "HISTORY_CLOCK",
        `The chain's clock is only ${Math.round((present() - begin) / 3600)} h behind the present; ${count} auctions need more.`,
        "Nothing was sent. Start a fresh chain with a genesis two weeks in the past.",
      );
    this.#traders = await this.#loadTraders();
    const fabrics = this.#tradingFabrics();
    const registered = new Set<number>();
    let leases = 0;
    for (let i = 0; i < count; i++) {
      await this.#warpTo(begin + i * step);
      await this.#registerBudgets(registered);
      const settles = !(this.#options.lastUnsettled && i === count - 1);
      leases += await this.#auction(i, fabrics[i % fabrics.length]!, settles);
      this.#options.progress?.(i + 1, count);
    }
    if (!this.#options.lastUnsettled) await this.#warpTo(present());
    return { auctions: count, leases, scores: await this.#scores() };
  }

  async #loadTraders(): Promise<Trader[]> {
    return Promise.all(
      this.#options.regions.map(async ({ id, agentKey }, i) => {
        const agent = privateKeyToAccount(agentKey);
        const region = await this.#read(this.#options.deployment.membership, membershipAbi, "region", [id]);
        const { organisation, fabrics } = region as { organisation: number; fabrics: bigint };
        const nonce = await this.#client.getTransactionCount({ address: agent.address });
        return { id, organisation, fabrics, quality: QUALITIES[i % QUALITIES.length]!, agent, nonce };
      }),
    );
  }

  /** Fabrics on which a market is possible at all; the largest comes twice as often. */
  #tradingFabrics(): number[] {
    const members = (fabric: number) => this.#traders.filter((t) => (t.fabrics >> BigInt(fabric)) & 1n).length;
    const usable = Array.from({ length: 64 }, (_, fabric) => fabric).filter((fabric) => members(fabric) >= 3);
    const [largest] = [...usable].sort((a, b) => members(b) - members(a));
    if (largest === undefined)
      throw new EphemeshError(
        "HISTORY_REFUSED",
        "No fabric has three of the regions.",
        "Attach more regions to one fabric.",
      );
    return [largest, ...usable];
  }

  /** On the last UTC day of a week everyone registers for the next week's budgets. */
  async #registerBudgets(registered: Set<number>): Promise<void> {
    const day = Math.floor((await this.#now()) / DAY);
    const week = Math.floor((day + 3) / 7);
    if ((day + 3) % 7 !== 6 || registered.has(week)) return;
    registered.add(week);
    for (const trader of this.#traders)
      await this.#send(trader, this.#options.deployment.escrow, leaseEscrowAbi, "registerBudget", [trader.id]);
  }

  /** One market from opening to the end of its leases, and to settlement. @returns how many leases it made. */
  async #auction(round: number, fabric: number, settles: boolean): Promise<number> {
    const members = this.#traders.filter((t) => (t.fabrics >> BigInt(fabric)) & 1n);
    const opener = members[round % members.length]!;
    await this.#market(opener, "open", [opener.id, this.#terms(round, fabric)]);
    const auctionId = Number(
      await this.#read(this.#options.deployment.auction, capacityAuctionAbi, "auctionCount", []),
    );
    const sealed: SealedOrder[] = [];
    for (const { trader, side } of sidesOf(members, round))
      sealed.push(await this.#commit(auctionId, round, trader, side, members.length, sealed.length));
    await this.#mineThroughCommits(auctionId);
    await this.#market(opener, "revealMany", [auctionId, sealed]);
    await this.#clear(opener, auctionId);
    await this.#market(opener, "collect", [auctionId, sealed.map(({ index }) => index)]);
    return this.#settle(opener, auctionId, settles);
  }

  #terms(round: number, fabric: number) {
    return {
      kind: round % 3,
      earlier: 0,
      fabric,
      cosine: -1_000_000_000,
      attributes: 0,
      requiresMinScore: false,
      latencyBoundMicros: 200_000,
      lotMbps: LOT_MBPS,
      slots: SLOTS,
      earliestStart: 0,
      priceCap: PRICE_CAP,
      profile: NORMAL_PROFILE,
    };
  }

  async #commit(
    auctionId: number,
    round: number,
    trader: Trader,
    side: Side,
    members: number,
    index: number,
  ): Promise<SealedOrder> {
    const { deployment } = this.#options;
    const score = Number(await this.#read(deployment.reputation, reputationAbi, "closingScore", [trader.id]));
    const spread = (7 * round + 3 * trader.id) % 11;
    const price = side === "ask" ? 900 + 60 * spread : 2_400 + 80 * spread;
    const lots = side === "ask" ? LOTS_PER_ASK : Math.max(1, Math.floor((LOTS_PER_ASK * members) / 2));
    const boostBps = side === "bid" ? Math.min(1_000, maxBoost(score)) : 0;
    const salt = keccak256(stringToBytes(`history ${deployment.auction} ${auctionId} ${trader.id}`));
    const bond = BigInt(Math.max(1_000, Math.ceil((price * lots * SLOTS) / 5)));
    const { chainId, auction } = deployment;
    const commitment = commitmentOf({
      chainId,
      auction,
      auctionId,
      regionId: trader.id,
      side,
      price,
      lots,
      boostBps,
      salt,
    });
    await this.#market(trader, "commit", [auctionId, trader.id, SIDES.indexOf(side), bond, commitment]);
    return { index, regionId: trader.id, side: SIDES.indexOf(side), price, lots, boostBps, bond, salt };
  }

  async #clear(opener: Trader, auctionId: number): Promise<void> {
    type Shown = { index: number; side: number; price: number; lots: number; score: number; bps: number };
    const book = (await this.#read(this.#options.deployment.auction, capacityAuctionAbi, "orders", [
      auctionId,
    ])) as readonly Shown[];
    const clearing = clearBook(
      book.map((order) => ({ ...order, side: SIDES[order.side]! })),
      PRICE_CAP,
    );
    const { bid, ask } = clearing?.certificate ?? { bid: NONE, ask: NONE };
    await this.#market(opener, "clear", [auctionId, bid, ask]);
  }

  async #settle(poster: Trader, auctionId: number, settles: boolean): Promise<number> {
    const { deployment } = this.#options;
    const [granted] = await this.#client.getContractEvents({
      address: deployment.auction,
      abi: capacityAuctionAbi,
      eventName: "LeasesGranted",
      args: { auctionId },
      fromBlock: BigInt(deployment.fromBlock),
      strict: true,
    });
    if (!granted) return 0;
    const { start, slots, lotMbps, price, week, leases: words } = granted.args;
    const terms: GrantTerms = { startSeconds: start, slots, lotMbps, price, week };
    await this.#warpTo(start + slots * 60);
    for (const [i, word] of settles ? words.entries() : []) {
      const lease = unpackLease(auctionId, i, word, terms);
      const [seller, buyer] = [this.#trader(lease.seller), this.#trader(lease.buyer)];
      const receipt = receiptOf(leaseIdOf(auctionId, i), seller.quality, LOT_MBPS * lease.lots);
      const typed = receiptTypedData(deployment.chainId, deployment.escrow, receipt);
      const signatures = await Promise.all([seller.agent.signTypedData(typed), buyer.agent.signTypedData(typed)]);
      await this.#send(poster, deployment.escrow, leaseEscrowAbi, "settle", [
        lease,
        leaseProof(words, terms, i),
        receipt,
        ...signatures,
      ]);
    }
    return words.length;
  }

  async #scores(): Promise<ReadonlyMap<number, number>> {
    const scores = await Promise.all(
      this.#traders.map(({ id }) => this.#read(this.#options.deployment.reputation, reputationAbi, "score", [id])),
    );
    return new Map(this.#traders.map(({ id }, i) => [id, Number(scores[i])]));
  }

  #trader(id: number): Trader {
    return this.#traders.find((trader) => trader.id === id)!;
  }

  async #now(): Promise<number> {
    return Number((await this.#client.getBlock()).timestamp);
  }

  async #warpTo(seconds: number): Promise<void> {
    if (seconds <= (await this.#now())) return;
    await this.#chain.setNextBlockTimestamp({ timestamp: BigInt(seconds) });
    await this.#chain.mine({ blocks: 1 });
  }

  async #mineThroughCommits(auctionId: number): Promise<void> {
    const auction = await this.#read(this.#options.deployment.auction, capacityAuctionAbi, "auction", [auctionId]);
    const { lastCommitBlock } = auction as { readonly lastCommitBlock: bigint };
    const blocks = lastCommitBlock - (await this.#client.getBlockNumber());
    if (blocks > 0n) await this.#chain.mine({ blocks: Number(blocks) });
  }

  #read(address: Hex, abi: Abi | readonly unknown[], functionName: string, args: readonly unknown[]): Promise<unknown> {
    return this.#client.readContract({ address, abi: abi as Abi, functionName, args });
  }

  #market(from: Trader, functionName: string, args: readonly unknown[]): Promise<TransactionReceipt> {
    return this.#send(from, this.#options.deployment.auction, capacityAuctionAbi, functionName, args);
  }

  async #send(
    from: Trader,
    address: Hex,
    abi: Abi | readonly unknown[],
    functionName: string,
    args: readonly unknown[],
  ): Promise<TransactionReceipt> {
    const wallet = createWalletClient({ account: from.agent, transport: this.#transport });
    const call = {
      address,
      abi: abi as Abi,
      functionName,
      args,
      chain: null,
      gas: GAS,
      gasPrice: 0n,
      type: "legacy",
      nonce: from.nonce++,
    } as const;
    const hash = await wallet.writeContract(call);
    const receipt = await this.#client.waitForTransactionReceipt({ hash });
    if (receipt.status === "success") return receipt;
    throw new EphemeshError(
      "HISTORY_REFUSED",
      `${functionName} of region ${from.id} was refused (transaction ${hash}).`,
      "The chain is half way through its history: start it again.",
    );
  }
}

/** Half buys, half sells, in turns; an organisation stays on the side of its first region. */
function sidesOf(members: readonly Trader[], round: number): { trader: Trader; side: Side }[] {
  const chosen = new Map<number, Side>();
  return members.map((trader, i) => {
    const side = chosen.get(trader.organisation) ?? SIDES[(i + round + Math.floor(round / 2) * (i % 3)) % 2]!;
    chosen.set(trader.organisation, side);
    return { trader, side };
  });
}

/** What two honest agents sign at the end of a lease whose seller kept this share of its epochs. */
function receiptOf(leaseId: Hex, quality: number, mbps: number): Receipt {
  const luck = Number(BigInt(leaseId) % 100n) / 100;
  const available = 10 * (EPOCHS - Math.round(EPOCHS * (1 - quality) * (0.5 + luck)));
  const bytesToBuyer = BigInt(Math.round((mbps * 125_000 * available * (5 + luck)) / 8));
  return {
    leaseId,
    epochs: EPOCHS,
    available,
    packetsToBuyer: bytesToBuyer / 1_300n,
    bytesToBuyer,
    packetsToSeller: bytesToBuyer / 4_000n,
    bytesToSeller: bytesToBuyer / 40n,
    worstRttMicros: 20_000 + Math.round(60_000 * luck),
    worstLossPpm: Math.round(900 * luck),
    release: false,
    previous: NO_RECEIPT,
  };
}
