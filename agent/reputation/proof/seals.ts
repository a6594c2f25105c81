/**
 * Who vouches for a header. QBFT: committed seals in the extra data, each a signature of the header with an empty list
 * of seals. Clique (EIP-225): the last 65 bytes of the extra data are one signer's signature of the header without them.
 */
import { getAddress, type Hex, recoverAddress, toHex } from "viem";
import { type Header, hashWithExtra } from "./header.ts";
import { isQbft, qbftExtra } from "./qbft.ts";
import { bytesOf, encodeRlp, listOf } from "./rlp.ts";

export interface Seals {
  readonly consensus: "qbft" | "clique" | "none";
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

/** Why these seals do not do for these validators; null where they do. */
export function sealObjection(seals: Seals, validators: readonly Hex[]): string | null {
  const known = new Set(validators.map((address) => getAddress(address)));
  const stranger = seals.signers.find((signer) => !known.has(signer));
  if (seals.consensus === "none") return "nothing seals it, although validators are known";
  if (stranger) return `it is sealed by ${stranger}, which is no validator`;
  if (seals.consensus === "clique") return null;
  const quorum = quorumOf(known.size);
  return seals.signers.length < quorum
    ? `${seals.signers.length} of ${known.size} validators sealed it, and ${quorum} are needed`
    : null;
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
