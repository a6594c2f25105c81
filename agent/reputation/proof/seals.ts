/**
 * The validators who sealed a header. QBFT: the extra data hold seals, each a signature of the header with an empty list
 * of seals. Clique (EIP-225): the last 65 bytes of the extra data are one signer's signature of the header without them.
 */
import { getAddress, type Hex, recoverAddress, toHex } from "viem";
import { type Header, hashWithExtra } from "./header.ts";
import { isQbft, qbftExtra } from "./qbft.ts";
import { bytesOf, encodeRlp, listOf } from "./rlp.ts";

export type Consensus = "qbft" | "clique";

export interface Seals {
  /** As the header looks; `sealObjection` compares it with the auditor's terms. */
  readonly consensus: Consensus | "none";
  /** Distinct addresses with checksum, in the order of the seals. */
  readonly signers: readonly Hex[];
  /** The validators that the header lists; Clique lists them only in epoch blocks. */
  readonly named: readonly Hex[];
}

/** The validators from a block on, from the deployment file or `--validators`. */
export interface ValidatorSet {
  readonly fromBlock: number;
  readonly validators: readonly Hex[];
}

/** How the chain's headers are sealed, as the auditor knows it. */
export interface SealTerms {
  /** Null: QBFT if validators are known, otherwise any. */
  readonly consensus: Consensus | null;
  /** Ascending; empty: none are known, and a header is checked against its own list. */
  readonly validators: readonly ValidatorSet[];
}

const NAMES = { qbft: "QBFT", clique: "Clique" } as const;
const CLIQUE_VANITY = 32;
const SIGNATURE = 65;

/** @throws Error if the extra data of a QBFT header are malformed, or a seal is not a signature. */
export async function sealsOf(header: Header): Promise<Seals> {
  if (isQbft(header)) {
    const { vanity, validators, vote, round, seals } = qbftExtra(header.extraData);
    const hash = hashWithExtra(header, encodeRlp([vanity, validators, vote, round, []]));
    const signers = await Promise.all(listOf(seals).map((seal) => signerOf(hash, bytesOf(seal))));
    return {
      consensus: "qbft",
      signers: [...new Set(signers)],
      named: listOf(validators).map((address) => getAddress(toHex(bytesOf(address)))),
    };
  }
  if (isClique(header)) {
    const { extraData } = header;
    const hash = hashWithExtra(header, extraData.subarray(0, -SIGNATURE));
    const signer = await signerOf(hash, extraData.subarray(-SIGNATURE));
    const listed = extraData.subarray(CLIQUE_VANITY, -SIGNATURE);
    const named = Array.from({ length: listed.length / 20 }, (_, i) =>
      getAddress(toHex(listed.subarray(20 * i, 20 * (i + 1)))),
    );
    return { consensus: "clique", signers: [signer], named };
  }
  return { consensus: "none", signers: [], named: [] };
}

/** The reason why these seals do not prove a block of this number; null if they do. */
export function sealObjection(seals: Seals, block: number, terms: SealTerms): string | null {
  const expected = consensusOf(terms);
  if (expected && seals.consensus === "none") return `nothing seals it, although this chain uses ${NAMES[expected]}`;
  if (expected && seals.consensus !== expected) return `it is no header of ${NAMES[expected]}, which this chain uses`;
  const known = validatorsAt(block, terms);
  if (!known && terms.validators.length > 0) return "the list of validators begins above this block";
  const validators = new Set((known ?? seals.named).map((address) => getAddress(address)));
  if (validators.size === 0) return null;
  const stranger = seals.signers.find((signer) => !validators.has(signer));
  if (stranger) return `${stranger}, who sealed it, is no validator`;
  if (seals.consensus !== "qbft") return null;
  const quorum = quorumOf(validators.size);
  return seals.signers.length < quorum
    ? `${seals.signers.length} of ${validators.size} validators sealed it; ${quorum} are needed`
    : null;
}

/**
 * Clique: a block has one seal, and the signers of its children vouch for it, too.
 * @param signers of the block and its children. @returns how many are validators, of how many, and how many are needed;
 * null on another chain, or if no validators are known.
 */
export function cliqueMajority(signers: ReadonlySet<Hex>, block: number, terms: SealTerms) {
  const validators = new Set(validatorsAt(block, terms)?.map((address) => getAddress(address)));
  if (consensusOf(terms) !== "clique" || validators.size === 0) return null;
  const sealed = [...validators].filter((address) => signers.has(address)).length;
  return { sealed, of: validators.size, needed: childrenNeeded(block, terms) + 1 };
}

/** Clique: children that must be sealed for a majority, as a signer may seal only one of so many blocks and this one; else 0. */
export function childrenNeeded(block: number, terms: SealTerms): number {
  return consensusOf(terms) === "clique" ? Math.floor((validatorsAt(block, terms)?.length ?? 0) / 2) : 0;
}

/** How headers must be sealed; null: in any way. */
function consensusOf({ consensus, validators }: SealTerms): Consensus | null {
  return consensus ?? (validators.length > 0 ? "qbft" : null);
}

/** The list that applies to this block; undefined if none does. */
export function validatorsAt(block: number, { validators }: SealTerms): readonly Hex[] | undefined {
  return validators.findLast(({ fromBlock }) => fromBlock <= block)?.validators;
}

/** Two thirds, rounded up. */
export function quorumOf(validators: number): number {
  return Math.ceil((2 * validators) / 3);
}

function isClique({ extraData, difficulty }: Header): boolean {
  const listed = extraData.length - CLIQUE_VANITY - SIGNATURE;
  return listed >= 0 && listed % 20 === 0 && (difficulty === 1n || difficulty === 2n);
}

async function signerOf(hash: Hex, signature: Uint8Array): Promise<Hex> {
  if (signature.length !== SIGNATURE) throw new Error(`a seal has ${signature.length} bytes`);
  return recoverAddress({ hash, signature });
}
