/**
 * The audit: takes what an untrusted source says, statement by statement, and believes only what follows from the header
 * it ends with. Events count where a block's receipts have the root that its header names; the state counts where trie
 * nodes lead to it from the header's state root; and the rule, applied to the events, must give that state bit for bit.
 * Pure: who brings the statements, a node or a file, makes no difference.
 */
import type { Hex } from "viem";
import { DAY_SECONDS } from "../model/market.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Deviation } from "./deviation.ts";
import { auditEventOf } from "./proof/events.ts";
import { decodeHeader, type Header, headerHash, mayHoldLogsOf } from "./proof/header.ts";
import { keccakHex } from "./proof/keccak.ts";
import { logsOf } from "./proof/receipts.ts";
import { cliqueMajority, type Seals, type SealTerms, sealObjection, sealsOf } from "./proof/seals.ts";
import { listRoot } from "./proof/trie.ts";
import { type LeaseRecorded, Rebuild } from "./rebuild.ts";
import type { Anchor, Block, Child, Statement } from "./statement.ts";
import { ProvenState, type Wanted } from "./stored.ts";
import { Tally } from "./tally.ts";

/** What the auditor brings: nothing of it comes from the source. */
export interface AuditTerms extends SealTerms {
  readonly chainId: number;
  readonly reputation: Hex;
  readonly escrow: Hex;
  readonly membership: Hex;
  readonly fromBlock: number;
  readonly fullBond: bigint;
  /** Only this seller's score; null: what the source is about. */
  readonly region: number | null;
}

interface Link {
  readonly number: number;
  readonly hash: Hex;
}

export class Audit {
  readonly terms: AuditTerms;
  readonly deviations: Deviation[] = [];
  readonly rebuild: Rebuild;
  readonly tally: Tally;
  readonly stored = new ProvenState();
  blocksRead = 0;
  #anchor: { readonly said: Anchor; readonly header: Header; readonly seals: Seals } | null = null;
  /** Who sealed the anchor, or a block of the row that was given as following it. */
  readonly #signers = new Set<Hex>();
  #above: Link | null = null;
  #previous: Link | null = null;
  #ended = false;
  readonly #resumed: Checkpoint | null;
  readonly #onRecorded: (event: LeaseRecorded) => void;
  readonly #addresses: ReadonlySet<string>;

  /** @param onRecorded hears of each settlement in the order of the chain, as far as its receipt is proved. */
  constructor(
    terms: AuditTerms,
    resumed: Checkpoint | null = null,
    onRecorded: (event: LeaseRecorded) => void = () => undefined,
  ) {
    this.terms = terms;
    this.#onRecorded = onRecorded;
    this.#resumed = resumed;
    this.#previous = resumed && { number: resumed.block, hash: resumed.hash };
    this.rebuild = new Rebuild(
      terms.fullBond,
      resumed ? { sellers: new Map(resumed.sellers), pairs: new Map(resumed.pairs) } : undefined,
    );
    this.tally = new Tally(resumed ?? undefined);
    this.#addresses = new Set([terms.reputation.toLowerCase(), terms.escrow.toLowerCase()]);
  }

  /** The one seller that it is about; null: all. */
  get region(): number | null {
    return this.terms.region ?? this.#anchor?.said.region ?? null;
  }

  /** What the header says that all of it hangs on; null until there is one. */
  get anchor(): { readonly said: Anchor; readonly header: Header; readonly seals: Seals; readonly day: number } | null {
    return this.#anchor && { ...this.#anchor, day: Math.floor(this.#anchor.header.timestamp / DAY_SECONDS) };
  }

  /** No block since the deployment was left out, neither here nor by the audits that this one goes on from. */
  get everyBlock(): boolean {
    return (this.#anchor?.said.everyBlock ?? false) && (this.#resumed?.everyBlock ?? true);
  }

  /** Who vouches for the anchor where one seal is not enough; null elsewhere. */
  get cliqueMajority(): ReturnType<typeof cliqueMajority> {
    return this.#anchor && cliqueMajority(this.#signers, this.#anchor.header.number, this.terms);
  }

  async take(said: Statement): Promise<void> {
    try {
      if (said.kind === "anchor") await this.#takeAnchor(said);
      else if (said.kind === "block") await this.#takeBlock(said);
      else if (said.kind === "child") await this.#takeChild(said);
      else if (said.kind === "nodes") for (const node of said.nodes) this.stored.nodes.set(keccakHex(node), node);
      else this.#ended = true;
    } catch (cause) {
      this.malformed(said.kind === "block" || said.kind === "child" ? `block ${said.hash}` : `the ${said.kind}`, cause);
    }
  }

  malformed(where: string, cause: unknown): void {
    this.deviations.push({ code: "MALFORMED", where, reason: cause instanceof Error ? cause.message : String(cause) });
  }

  /** Slots whose proofs the audit still needs; empty: no more. */
  wanted(): Wanted[] {
    return this.#anchor ? this.stored.wanted(this.#anchor.header.stateRoot, this) : [];
  }

  /** After the last statement. Everything that was found, and nothing more can be. */
  finish(): readonly Deviation[] {
    if (!this.#anchor) this.deviations.push({ code: "TRUNCATED", missing: "a header to hang on" });
    else {
      if (this.#anchor.said.everyBlock && this.#previous?.hash !== this.#anchor.said.hash)
        this.deviations.push({ code: "TRUNCATED", missing: `the blocks up to ${this.#anchor.header.number}` });
      this.#requireMajority(this.#anchor.header.number);
      this.deviations.push(...this.stored.deviations(this.#anchor.header.stateRoot, this));
    }
    if (!this.#ended) this.deviations.push({ code: "TRUNCATED", missing: "an end" });
    return this.deviations;
  }

  /** To go on from, where there were no deviations. */
  checkpoint(): Checkpoint {
    const { said, header } = this.#anchor!;
    const { chainId, reputation } = this.terms;
    return {
      ...{ format: 2, chainId, reputation: reputation.toLowerCase(), region: this.region },
      everyBlock: this.everyBlock,
      ...{ block: header.number, hash: said.hash, settlements: this.tally.settlements },
      sellers: [...this.rebuild.sellers],
      pairs: [...this.rebuild.pairs],
      creditSuspensions: [...this.tally.creditSuspensions.values()],
      regions: [...this.tally.regions],
    };
  }

  async #takeAnchor(said: Anchor): Promise<void> {
    if (this.#anchor) throw new Error("there is a header to hang on already");
    const header = this.#headerOf(said.header, said.hash);
    const { chainId, reputation, region } = this.terms;
    this.#require("the chain", String(chainId), String(said.chainId));
    this.#require("the contract", reputation.toLowerCase(), said.reputation.toLowerCase());
    if (region !== null) this.#require("the region", String(region), String(said.region ?? "all"));
    this.#anchor = { said, header, seals: await this.#seals(header) };
    this.#vouched(header, said.hash, this.#anchor.seals);
  }

  /** The next block of the row above the anchor. */
  async #takeChild(said: Child): Promise<void> {
    const above = this.#above;
    if (!above) throw new Error("a child comes before the header to hang on");
    const header = this.#headerOf(said.header, said.hash);
    const { number: block, parentHash } = header;
    if (block !== above.number + 1 || parentHash !== above.hash) {
      const expected = `a child of block ${above.number}, ${above.hash},`;
      this.deviations.push({ code: "HEADER_LINK", block, expected, found: `one of ${parentHash}` });
      return;
    }
    this.#vouched(header, said.hash, await this.#seals(header));
  }

  #vouched({ number }: Header, hash: Hex, { signers }: Seals): void {
    this.#above = { number, hash };
    for (const signer of signers) this.#signers.add(signer);
  }

  async #takeBlock(said: Block): Promise<void> {
    const anchor = this.#anchor;
    if (!anchor) throw new Error("a block comes before the header to hang on");
    const header = this.#headerOf(said.header, said.hash);
    this.#link(header, said.hash, anchor.said.everyBlock);
    // A block that leads by its hash to one that is sealed needs no seals of its own.
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
      this.tally.add(event);
      if (event.kind !== "recorded") continue;
      this.#onRecorded(event.event);
      for (const deviation of this.rebuild.apply(event.event))
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

  /** Every block: the child of the one before. Otherwise: above it, and not above the last. */
  #link(header: Header, hash: Hex, everyBlock: boolean): void {
    const { number: block, parentHash } = header;
    const previous = this.#previous;
    this.#previous = { number: block, hash };
    const deviate = (expected: string, found: string) =>
      this.deviations.push({ code: "HEADER_LINK", block, expected, found });
    if (previous && this.#resumed?.hash === previous.hash && !this.#follows(header, hash, previous, everyBlock)) return;
    if (everyBlock) {
      const due = previous ? previous.number + 1 : this.terms.fromBlock;
      if (block !== due) deviate(`block ${due}`, `block ${block}`);
      else if (previous && parentHash !== previous.hash) deviate(`a child of ${previous.hash}`, `one of ${parentHash}`);
    } else if (previous && block <= previous.number && hash !== this.#resumed?.hash)
      deviate(`a block above ${previous.number}`, `block ${block}`);
    const last = this.#anchor!.header.number;
    if (block > last) deviate(`a block up to ${last}`, `block ${block}`);
    else if (block === last && hash !== this.#anchor!.said.hash) deviate(this.#anchor!.said.hash, hash);
  }

  /** The first block after a checkpoint, or the checkpoint's own block, must lead to it. */
  #follows(header: Header, hash: Hex, checkpoint: Link, everyBlock: boolean): boolean {
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
    const reason = `${majority.sealed} of ${majority.of} validators sealed it and the blocks right after it, and ${majority.needed} are needed`;
    this.deviations.push({ code: "SEAL", block, reason });
  }

  #require(what: string, expected: string, found: string): void {
    if (expected !== found) this.deviations.push({ code: "OTHER_SUBJECT", what, expected, found });
  }
}
