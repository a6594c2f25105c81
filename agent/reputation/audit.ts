/**
 * The audit reads records from an untrusted node or file and accepts only what it can prove from the last header, the
 * anchor: events whose receipts match their block's receipts root, and stored values with a Merkle proof to the anchor's
 * state root. The reputation rule, applied to the events, must give the stored values exactly. Pure.
 */
import type { Hex } from "viem";
import { DAY_SECONDS } from "../model/market.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { SettlementCounts } from "./counts.ts";
import type { Deviation } from "./deviation.ts";
import { auditEventOf } from "./proof/events.ts";
import { decodeHeader, type Header, headerHash, mayHoldLogsOf } from "./proof/header.ts";
import { keccakHex } from "./proof/keccak.ts";
import { logsOf } from "./proof/receipts.ts";
import { cliqueMajority, type Seals, type SealTerms, sealObjection, sealsOf } from "./proof/seals.ts";
import { listRoot } from "./proof/trie.ts";
import { type ProofRequest, ProvenState } from "./proven-state.ts";
import { type LeaseRecorded, RebuiltReputation } from "./rebuild.ts";
import type { Anchor, AuditRecord, Block, Child } from "./record.ts";

/** What the auditor knows without the source. */
export interface AuditTerms extends SealTerms {
  readonly chainId: number;
  readonly reputation: Hex;
  readonly escrow: Hex;
  readonly membership: Hex;
  readonly fromBlock: number;
  readonly fullBond: bigint;
  /** Audit only this seller; null: the region that the source names, or all. */
  readonly region: number | null;
}

interface BlockRef {
  readonly number: number;
  readonly hash: Hex;
}

export class Audit {
  readonly terms: AuditTerms;
  readonly deviations: Deviation[] = [];
  readonly rebuilt: RebuiltReputation;
  readonly counts: SettlementCounts;
  readonly state = new ProvenState();
  blocksRead = 0;
  #anchor: { readonly said: Anchor; readonly header: Header; readonly seals: Seals } | null = null;
  /** Sealed the anchor or one of its children. */
  readonly #signers = new Set<Hex>();
  #newestChild: BlockRef | null = null;
  #previous: BlockRef | null = null;
  #ended = false;
  readonly #resumed: Checkpoint | null;
  readonly #onRecorded: (event: LeaseRecorded) => void;
  readonly #addresses: ReadonlySet<string>;

  /** @param onRecorded is called for each proven settlement, in chain order. */
  constructor(
    terms: AuditTerms,
    resumed: Checkpoint | null = null,
    onRecorded: (event: LeaseRecorded) => void = () => undefined,
  ) {
    this.terms = terms;
    this.#onRecorded = onRecorded;
    this.#resumed = resumed;
    this.#previous = resumed && { number: resumed.block, hash: resumed.hash };
    this.rebuilt = new RebuiltReputation(
      terms.fullBond,
      resumed ? { sellers: new Map(resumed.sellers), pairs: new Map(resumed.pairs) } : undefined,
    );
    this.counts = new SettlementCounts(resumed ?? undefined);
    this.#addresses = new Set([terms.reputation.toLowerCase(), terms.escrow.toLowerCase()]);
  }

  /** The audited seller; null: all. */
  get region(): number | null {
    return this.terms.region ?? this.#anchor?.said.region ?? null;
  }

  /** The header that everything is proved from, with its UTC day since 1970; null until it was read. */
  get anchor(): { readonly said: Anchor; readonly header: Header; readonly seals: Seals; readonly day: number } | null {
    return this.#anchor && { ...this.#anchor, day: Math.floor(this.#anchor.header.timestamp / DAY_SECONDS) };
  }

  /** Whether every block since the deployment was read, by this audit and those before its checkpoint. */
  get everyBlock(): boolean {
    return (this.#anchor?.said.everyBlock ?? false) && (this.#resumed?.everyBlock ?? true);
  }

  /** Clique: how many validators sealed the anchor and its children; null on other chains. */
  get cliqueMajority(): ReturnType<typeof cliqueMajority> {
    return this.#anchor && cliqueMajority(this.#signers, this.#anchor.header.number, this.terms);
  }

  /** Checks one record. What is wrong with it becomes a deviation. */
  async take(said: AuditRecord): Promise<void> {
    try {
      if (said.kind === "anchor") await this.#takeAnchor(said);
      else if (said.kind === "block") await this.#takeBlock(said);
      else if (said.kind === "child") await this.#takeChild(said);
      else if (said.kind === "nodes") for (const node of said.nodes) this.state.nodes.set(keccakHex(node), node);
      else this.#ended = true;
    } catch (cause) {
      this.malformed(
        said.kind === "block" || said.kind === "child" ? `block ${said.hash}` : `the ${said.kind} record`,
        cause,
      );
    }
  }

  /** @param where names the block, or the line of the bundle, that cannot be read. */
  malformed(where: string, cause: unknown): void {
    this.deviations.push({ code: "MALFORMED", where, reason: cause instanceof Error ? cause.message : String(cause) });
  }

  /** Storage keys whose proofs the audit still needs. */
  neededProofs(): ProofRequest[] {
    return this.#anchor ? this.state.neededProofs(this.#anchor.header.stateRoot, this) : [];
  }

  /** Call after the last record. @returns everything that deviates; empty: the audit passed. */
  finish(): readonly Deviation[] {
    if (!this.#anchor) this.deviations.push({ code: "TRUNCATED", missing: "the anchor header" });
    else {
      if (this.#anchor.said.everyBlock && this.#previous?.hash !== this.#anchor.said.hash)
        this.deviations.push({ code: "TRUNCATED", missing: `blocks up to ${this.#anchor.header.number}` });
      this.#requireMajority(this.#anchor.header.number);
      this.deviations.push(...this.state.deviations(this.#anchor.header.stateRoot, this));
    }
    if (!this.#ended) this.deviations.push({ code: "TRUNCATED", missing: "the end record" });
    return this.deviations;
  }

  /** Where the next audit may start. Only valid if `finish` returned no deviations. */
  checkpoint(): Checkpoint {
    const { said, header } = this.#anchor!;
    const { chainId, reputation } = this.terms;
    return {
      ...{ format: 2, chainId, reputation: reputation.toLowerCase(), region: this.region },
      everyBlock: this.everyBlock,
      ...{ block: header.number, hash: said.hash, settlements: this.counts.settlements },
      sellers: [...this.rebuilt.sellers],
      pairs: [...this.rebuilt.pairs],
      creditSuspensions: [...this.counts.creditSuspensions.values()],
      regions: [...this.counts.regions],
    };
  }

  async #takeAnchor(said: Anchor): Promise<void> {
    if (this.#anchor) throw new Error("there is already an anchor header");
    const header = this.#headerOf(said.header, said.hash);
    const { chainId, reputation, region } = this.terms;
    this.#require("the chain id", String(chainId), String(said.chainId));
    this.#require("the address of Reputation", reputation.toLowerCase(), said.reputation.toLowerCase());
    if (region !== null) this.#require("the region", String(region), String(said.region ?? "all"));
    this.#anchor = { said, header, seals: await this.#seals(header) };
    this.#addSigners(header, said.hash, this.#anchor.seals);
  }

  /** The next block after the anchor: its signer also vouches for its ancestors (Clique). */
  async #takeChild(said: Child): Promise<void> {
    const parent = this.#newestChild;
    if (!parent) throw new Error("a child comes before the anchor header");
    const header = this.#headerOf(said.header, said.hash);
    const { number: block, parentHash } = header;
    if (block !== parent.number + 1 || parentHash !== parent.hash) {
      const expected = `a child of block ${parent.number}, ${parent.hash},`;
      this.deviations.push({ code: "HEADER_PARENT", block, expected, found: `a child of ${parentHash}` });
      return;
    }
    this.#addSigners(header, said.hash, await this.#seals(header));
  }

  #addSigners({ number }: Header, hash: Hex, { signers }: Seals): void {
    this.#newestChild = { number, hash };
    for (const signer of signers) this.#signers.add(signer);
  }

  async #takeBlock(said: Block): Promise<void> {
    const anchor = this.#anchor;
    if (!anchor) throw new Error("a block comes before the anchor header");
    const header = this.#headerOf(said.header, said.hash);
    this.#checkOrder(header, said.hash, anchor.said.everyBlock);
    // If every block is read, each is an ancestor of the sealed anchor and needs no seals of its own.
    if (!anchor.said.everyBlock) await this.#seals(header);
    this.blocksRead++;
    if (said.receipts) this.#takeReceipts(header, said.receipts);
    else if (anchor.said.everyBlock && mayHoldLogsOf(header, this.terms.reputation))
      this.deviations.push({ code: "RECEIPTS_WITHHELD", block: header.number });
  }

  #takeReceipts(header: Header, receipts: readonly Uint8Array[]): void {
    const found = listRoot(receipts);
    if (found !== header.receiptsRoot) {
      this.deviations.push({ code: "RECEIPTS_ROOT", block: header.number, expected: header.receiptsRoot, found });
      return;
    }
    for (const log of receipts.flatMap((receipt) => logsOf(receipt, this.#addresses))) {
      const event = auditEventOf(log, this.terms);
      if (!event || !this.#concerns(event.event)) continue;
      this.counts.add(event);
      if (event.kind !== "recorded") continue;
      this.#onRecorded(event.event);
      for (const deviation of this.rebuilt.apply(event.event))
        this.deviations.push({ code: "EVENT_STATE", block: header.number, ...deviation });
    }
  }

  #concerns(event: { readonly seller: number } | { readonly lower: number; readonly higher: number }): boolean {
    const { region } = this;
    if (region === null) return true;
    return "seller" in event ? event.seller === region : event.lower === region || event.higher === region;
  }

  #headerOf(rlp: Uint8Array, found: Hex): Header {
    const header = decodeHeader(rlp);
    const expected = headerHash(header);
    if (expected !== found) this.deviations.push({ code: "HEADER_HASH", block: header.number, expected, found });
    return header;
  }

  /** If every block is read, each must be the child of the one before; otherwise numbers must rise, up to the anchor's. */
  #checkOrder(header: Header, hash: Hex, everyBlock: boolean): void {
    const { number: block, parentHash } = header;
    const previous = this.#previous;
    this.#previous = { number: block, hash };
    const deviate = (expected: string, found: string) =>
      this.deviations.push({ code: "HEADER_PARENT", block, expected, found });
    if (previous && this.#resumed?.hash === previous.hash && !this.#follows(header, hash, previous, everyBlock)) return;
    if (everyBlock) {
      const expected = previous ? previous.number + 1 : this.terms.fromBlock;
      if (block !== expected) deviate(`block ${expected}`, `block ${block}`);
      else if (previous && parentHash !== previous.hash)
        deviate(`a child of ${previous.hash}`, `a child of ${parentHash}`);
    } else if (previous && block <= previous.number && hash !== this.#resumed?.hash)
      deviate(`a block after ${previous.number}`, `block ${block}`);
    const last = this.#anchor!.header.number;
    if (block > last) deviate(`a block up to ${last}`, `block ${block}`);
    else if (block === last && hash !== this.#anchor!.said.hash) deviate(this.#anchor!.said.hash, hash);
  }

  /** The first block must be the checkpoint's child, or the checkpoint's own block if blocks were left out. */
  #follows(header: Header, hash: Hex, checkpoint: BlockRef, everyBlock: boolean): boolean {
    const found = everyBlock ? header.parentHash : hash;
    const same = header.number === checkpoint.number + (everyBlock ? 1 : 0);
    if (!same || found === checkpoint.hash) return true;
    this.deviations.push({ code: "CHECKPOINT_FORK", block: checkpoint.number, expected: checkpoint.hash, found });
    return false;
  }

  async #seals(header: Header): Promise<Seals> {
    const seals = await sealsOf(header);
    const reason = sealObjection(seals, header.number, this.terms);
    if (reason) this.deviations.push({ code: "SEAL", block: header.number, reason });
    return seals;
  }

  #requireMajority(block: number): void {
    const majority = this.cliqueMajority;
    if (!majority || majority.sealed >= majority.needed) return;
    const reason = `${majority.sealed} of ${majority.of} validators sealed it and its children; ${majority.needed} are needed`;
    this.deviations.push({ code: "SEAL", block, reason });
  }

  #require(what: string, expected: string, found: string): void {
    if (expected !== found) this.deviations.push({ code: "OTHER_SUBJECT", what, expected, found });
  }
}
