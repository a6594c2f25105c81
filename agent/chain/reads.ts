/** Typed reads of one deployment's contracts, besides their events, and the sending of signed bytes. */
import type { Hex, PublicClient } from "viem";
import type { LeaseId, RegionId } from "../model/ids.ts";
import type { Region } from "../model/region.ts";
import { leaseEscrowAbi } from "./abi/lease-escrow.ts";
import { reputationAbi } from "./abi/reputation.ts";
import { type Deployment, rpcError, submit } from "./client.ts";
import { readFabrics, readRegions } from "./registry.ts";

/** Every method @throws EphemeshError RPC_UNREACHABLE, RPC_REFUSED */
export class ChainReads {
  readonly #client: PublicClient;
  readonly #deployment: Deployment;

  constructor(client: PublicClient, deployment: Deployment) {
    this.#client = client;
    this.#deployment = deployment;
  }

  /** Price units in the escrow that no order or lease holds, and that the agent may still commit. */
  async account(region: RegionId): Promise<{ free: bigint; allowance: bigint }> {
    const { free, allowance } = await this.#answer(
      this.#client.readContract({ ...this.#escrow, functionName: "account", args: [region] }),
    );
    return { free, allowance };
  }

  /** Price units of the region's priority budget in a week: its part, and what orders hold or have used of it. */
  async priorityBudget(region: RegionId, week: number): Promise<{ granted: bigint; used: bigint }> {
    const [, granted, used] = await this.#answer(
      this.#client.readContract({ ...this.#escrow, functionName: "budgetOf", args: [region, week] }),
    );
    return { granted, used };
  }

  /** Yesterday's closing score, 0..1000. */
  closingScore(region: RegionId): Promise<number> {
    return this.#answer(
      this.#client.readContract({ ...this.#reputation, functionName: "closingScore", args: [region] }),
    );
  }

  /** The score of this moment, 0..1,000,000. */
  score(region: RegionId): Promise<number> {
    return this.#answer(this.#client.readContract({ ...this.#reputation, functionName: "score", args: [region] }));
  }

  /** What was posted about a lease that is not settled yet; `closesAtSeconds` is 0 until something is. */
  async evidence(lease: LeaseId): Promise<{
    closesAtSeconds: number;
    receiptPosted: boolean;
    epochs: number;
    sellerClaimed: boolean;
    buyerClaimed: boolean;
  }> {
    const { closesAt, receiptPosted, epochs, sellerClaimed, buyerClaimed } = await this.#answer(
      this.#client.readContract({ ...this.#escrow, functionName: "evidenceOf", args: [lease] }),
    );
    return { closesAtSeconds: closesAt, receiptPosted, epochs, sellerClaimed, buyerClaimed };
  }

  async register(): Promise<{ regions: ReadonlyMap<RegionId, Region>; fabrics: readonly string[] }> {
    const [regions, fabrics] = await this.#answer(
      Promise.all([readRegions(this.#client, this.#deployment.membership), this.fabrics()]),
    );
    return { regions, fabrics };
  }

  /** Names of the fabrics, by their number in the register. */
  fabrics(): Promise<readonly string[]> {
    return this.#answer(readFabrics(this.#client, this.#deployment.membership));
  }

  async blockSeconds(blockNumber: bigint): Promise<number> {
    return Number((await this.#answer(this.#client.getBlock({ blockNumber }))).timestamp);
  }

  /** Sends signed bytes; that a node or a block has them already is as good. */
  submit(raw: Hex): Promise<void> {
    return submit(this.#client, raw);
  }

  get #escrow() {
    return { address: this.#deployment.escrow, abi: leaseEscrowAbi } as const;
  }

  get #reputation() {
    return { address: this.#deployment.reputation, abi: reputationAbi } as const;
  }

  #answer<T>(reading: Promise<T>): Promise<T> {
    return reading.catch((error: unknown) => {
      throw rpcError(error);
    });
  }
}
