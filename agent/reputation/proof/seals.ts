/**
 * Who vouches for a header. QBFT: committed seals in the extra data, each a signature of the header with an empty list
 * of seals. Clique (EIP-225): the last 65 bytes of the extra data are one signer's signature of the header without them.
 */
import { getAddress, type Hex, recoverAddress, toHex } from "viem";
import { type Header, hashWithExtra } from "./header.ts";
import { isQbft, qbftExtra } from "./qbft.ts";
import { bytesOf, encodeRlp, listOf } from "./rlp.ts";

export type Consensus = "qbft" | "clique";

export interface Seals {
  /** As the header has it, which is its own choice: `sealObjection` holds it against the auditor's terms. */
  readonly consensus: Consensus | "none";
  /** Distinct, in order; addresses with checksum. */
  readonly signers: readonly Hex[];
  /** Those that the header itself names; Clique names them only every epoch. */
  readonly named: readonly Hex[];
}

/** Validators from a block on, as the deployment file or `--validators` has them. */
export interface ValidatorSet {
  readonly fromBlock: number;
  readonly validators: readonly Hex[];
}

/** How the chain's headers are sealed, as the auditor knows it. */
export interface SealTerms {
  /** Null: not said. Where validators are known that means QBFT, the one kind whose header shows a quorum by itself. */
  readonly consensus: Consensus | null;
  /** Ascending; empty: none are known, and a header is as good as its own word. */
  readonly validators: readonly ValidatorSet[];
}

const NAMES = { qbft: "QBFT", clique: "Clique" } as const;
const CLIQUE_VANITY = 32;
const SIGNATURE = 65;

/** @throws Error where the extra data of a QBFT header cannot be read. */
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

/** Why these seals do not do for a block of this number; null where they do. */
export function sealObjection(seals: Seals, block: number, terms: SealTerms): string | null {
  const due = consensusOf(terms);
  if (due && seals.consensus === "none") return `nothing seals it, although this chain is ${NAMES[due]}`;
  if (due && seals.consensus !== due) return `it is no header of ${NAMES[due]}, which this chain is`;
  const known = validatorsAt(block, terms);
  if (!known && terms.validators.length > 0) return "the list of validators begins above it";
  const validators = new Set((known ?? seals.named).map((address) => getAddress(address)));
  if (validators.size === 0) return null;
  const stranger = seals.signers.find((signer) => !validators.has(signer));
  if (stranger) return `it is sealed by ${stranger}, which is no validator`;
  if (seals.consensus !== "qbft") return null;
  const quorum = quorumOf(validators.size);
  return seals.signers.length < quorum
    ? `${seals.signers.length} of ${validators.size} validators sealed it, and ${quorum} are needed`
    : null;
}

/**
 * Clique: one seal is one signer's word; those who sealed the block's children in a row vouch for it too. How many of its
 * validators these are, and how many are needed; null where the chain is of another kind or no validators are known.
 */
export function cliqueMajority(signers: ReadonlySet<Hex>, block: number, terms: SealTerms) {
  const validators = new Set(validatorsAt(block, terms)?.map((address) => getAddress(address)));
  if (consensusOf(terms) !== "clique" || validators.size === 0) return null;
  const sealed = [...validators].filter((address) => signers.has(address)).length;
  return { sealed, of: validators.size, needed: childrenNeeded(block, terms) + 1 };
}

/** Blocks after this one whose seals count for it: no signer of Clique may seal more than one of so many and this one. */
export function childrenNeeded(block: number, terms: SealTerms): number {
  return consensusOf(terms) === "clique" ? Math.floor((validatorsAt(block, terms)?.length ?? 0) / 2) : 0;
}

/** What a header must be; null: anything. */
function consensusOf({ consensus, validators }: SealTerms): Consensus | null {
  return consensus ?? (validators.length > 0 ? "qbft" : null);
}

/** The list that holds at this height; undefined where none does. */
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
