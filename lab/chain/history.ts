/**
 * Two weeks of earlier leases on a chain whose clock is in the past: real auctions, settled by receipts that both agents
 * sign, so that there are scores, budgets and past prices. Ends with the clock at the present.
 */
import { type Abi, createPublicClient, createTestClient, type Hex, http, keccak256, stringToBytes } from "viem";
import { isLastDayOfWeek, weekOf } from "../../agent/auction/calendar.ts";
import { clearBook } from "../../agent/auction/clearing.ts";
import { commitmentOf, SIDES, type Side } from "../../agent/auction/commitment.ts";
import { type GrantTerms, leaseIdOf, leaseProof, unpackLease } from "../../agent/auction/leases.ts";
import { capacityAuctionAbi } from "../../agent/chain/abi/capacity-auction.ts";
import { leaseEscrowAbi } from "../../agent/chain/abi/lease-escrow.ts";
import { membershipAbi } from "../../agent/chain/abi/membership.ts";
import { reputationAbi } from "../../agent/chain/abi/reputation.ts";
import { receiptTypedData } from "../../agent/lease/receipt.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { DAY_SECONDS, SLOT_SECONDS } from "../../agent/model/market.ts";
import type { Deployment } from "../../deploy/contracts.ts";
import {
  isAttached,
  orderOf,
  PRICE_CAP,
  receiptOf,
  SLOTS,
  sidesOf,
  type Trader,
  termsOf,
  tradingFabrics,
} from "./history-orders.ts";
import { LabWallet } from "./wallet.ts";

export interface HistoryOptions {
  /** An anvil that mines every transaction at once; its clock is in the past. */
  readonly rpcUrl: string;
  readonly deployment: Deployment;
  /** Admitted, funded, bonded, with an allowance for the agent. */
  readonly regions: readonly { readonly id: number; readonly agentKey: Hex }[];
  /** Unix second at which the history ends; absent: now. */
  readonly presentSeconds?: number;
  /** How many auctions, 28 if absent. */
  readonly auctions?: number;
  /** Leaves the leases of the last auction unsettled, after their end. */
  readonly lastUnsettled?: boolean;
  readonly progress?: (done: number, of: number) => void;
}

export interface HistorySummary {
  readonly auctions: number;
  readonly leases: number;
  /** 0 to 10^6, by region number, at the present. */
  readonly scores: ReadonlyMap<number, number>;
}

const AUCTIONS = 28;
/** The certificate of a book without a trade. */
const NO_ORDER = 65_535;

/** @throws EphemeshError HISTORY_CLOCK, HISTORY_NO_FABRIC, LAB_TRANSACTION */
export async function makeHistory(options: HistoryOptions): Promise<HistorySummary> {
  return new History(options).make();
}

interface HistoryTrader extends Trader {
  /** Place among the regions. */
  readonly place: number;
  readonly wallet: LabWallet;
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
  #traders: readonly HistoryTrader[] = [];

  constructor(options: HistoryOptions) {
    this.#options = options;
    const transport = http(options.rpcUrl);
    this.#client = createPublicClient({ transport, cacheTime: 0 });
    this.#chain = createTestClient({ mode: "anvil", transport });
  }

  async make(): Promise<HistorySummary> {
    const count = this.#options.auctions ?? AUCTIONS;
    const present = () => this.#options.presentSeconds ?? Math.floor(Date.now() / 1000);
    const begin = await this.#now();
    const step = Math.floor((present() - begin - DAY_SECONDS) / count);
    if (step < 2 * SLOTS * SLOT_SECONDS)
      throw new EphemeshError(
        "HISTORY_CLOCK",
        `The chain's clock is only ${Math.round((present() - begin) / 3600)} h behind the present, too little for ${count} auctions. Nothing was sent.`,
        "Start a new chain with a genesis two weeks in the past.",
      );
    this.#traders = await this.#loadTraders();
    const fabrics = tradingFabrics(this.#traders);
    const registeredWeeks = new Set<number>();
    let leases = 0;
    for (let i = 0; i < count; i++) {
      await this.#warpTo(begin + i * step);
      await this.#registerBudgets(registeredWeeks);
      const settles = !(this.#options.lastUnsettled && i === count - 1);
      leases += await this.#auction(i, fabrics[i % fabrics.length]!, settles);
      this.#options.progress?.(i + 1, count);
    }
    if (!this.#options.lastUnsettled) await this.#warpTo(present());
    return { auctions: count, leases, scores: await this.#scores() };
  }

  async #loadTraders(): Promise<HistoryTrader[]> {
    const { deployment, regions, rpcUrl } = this.#options;
    return Promise.all(
      regions.map(async ({ id, agentKey }, place) => {
        const region = await this.#read(deployment.membership, membershipAbi, "region", [id]);
        const { organisation, fabrics } = region as { organisation: number; fabrics: bigint };
        return { id, organisation, fabrics, place, wallet: new LabWallet(rpcUrl, agentKey) };
      }),
    );
  }

  /** On the last day of a week every region registers for the next week's budgets. */
  async #registerBudgets(registeredWeeks: Set<number>): Promise<void> {
    const now = await this.#now();
    if (!isLastDayOfWeek(now) || registeredWeeks.has(weekOf(now))) return;
    registeredWeeks.add(weekOf(now));
    for (const { id, wallet } of this.#traders)
      await wallet.send(this.#options.deployment.escrow, leaseEscrowAbi, "registerBudget", [id]);
  }

  /** One auction, from `open` to the settlement of its leases. @returns the number of leases */
  async #auction(round: number, fabric: number, settles: boolean): Promise<number> {
    const { auction } = this.#options.deployment;
    const members = this.#traders.filter((trader) => isAttached(trader, fabric));
    const opener = members[round % members.length]!;
    const market = (from: HistoryTrader, functionName: string, args: readonly unknown[]) =>
      from.wallet.send(auction, capacityAuctionAbi, functionName, args);
    await market(opener, "open", [opener.id, termsOf(round, fabric)]);
    const auctionId = Number(await this.#read(auction, capacityAuctionAbi, "auctionCount", []));
    const sealed: SealedOrder[] = [];
    for (const { trader, side } of sidesOf(members, round)) {
      const { commitment, ...order } = await this.#seal(auctionId, round, trader, side, members.length);
      await market(trader, "commit", [auctionId, trader.id, order.side, order.bond, commitment]);
      sealed.push({ index: sealed.length, ...order });
    }
    await this.#mineThroughCommits(auctionId);
    await market(opener, "revealMany", [auctionId, sealed]);
    await market(opener, "clear", [auctionId, ...(await this.#certificate(auctionId))]);
    await market(opener, "collect", [auctionId, sealed.map(({ index }) => index)]);
    return this.#settle(opener, auctionId, settles);
  }

  async #seal(auctionId: number, round: number, trader: HistoryTrader, side: Side, members: number) {
    const { chainId, auction, reputation } = this.#options.deployment;
    const score = Number(await this.#read(reputation, reputationAbi, "closingScore", [trader.id]));
    const order = orderOf(round, trader, side, members, score);
    const salt = keccak256(stringToBytes(`history ${auction} ${auctionId} ${trader.id}`));
    const commitment = commitmentOf({ chainId, auction, auctionId, regionId: trader.id, side, salt, ...order });
    return { ...order, regionId: trader.id, side: SIDES.indexOf(side), salt, commitment };
  }

  async #certificate(auctionId: number): Promise<readonly [bid: number, ask: number]> {
    type Shown = { index: number; side: number; price: number; lots: number; score: number; bps: number };
    const { auction } = this.#options.deployment;
    const book = (await this.#read(auction, capacityAuctionAbi, "orders", [auctionId])) as readonly Shown[];
    const clearing = clearBook(
      book.map((order) => ({ ...order, side: SIDES[order.side]! })),
      PRICE_CAP,
    );
    return clearing ? [clearing.certificate.bid, clearing.certificate.ask] : [NO_ORDER, NO_ORDER];
  }

  async #settle(poster: HistoryTrader, auctionId: number, settles: boolean): Promise<number> {
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
    await this.#warpTo(start + slots * SLOT_SECONDS);
    for (const [i, word] of settles ? words.entries() : []) {
      const lease = unpackLease(auctionId, i, word, terms);
      const [seller, buyer] = [this.#trader(lease.seller), this.#trader(lease.buyer)];
      const receipt = receiptOf(leaseIdOf(auctionId, i), seller.place, lease.lots);
      const typed = receiptTypedData(deployment.chainId, deployment.escrow, receipt);
      const signatures = await Promise.all([seller, buyer].map(({ wallet }) => wallet.account.signTypedData(typed)));
      const args = [lease, leaseProof(words, terms, i), receipt, ...signatures];
      await poster.wallet.send(deployment.escrow, leaseEscrowAbi, "settle", args);
    }
    return words.length;
  }

  async #scores(): Promise<ReadonlyMap<number, number>> {
    const scores = await Promise.all(
      this.#traders.map(({ id }) => this.#read(this.#options.deployment.reputation, reputationAbi, "score", [id])),
    );
    return new Map(this.#traders.map(({ id }, i) => [id, Number(scores[i])]));
  }

  #trader(id: number): HistoryTrader {
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
}
