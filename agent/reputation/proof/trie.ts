/**
 * Merkle Patricia tries (yellow paper, appendix D): looks a value up below a root, and computes the root of a list. Nodes
 * may come from anyone: they are found by their own hash, so an altered node counts as missing.
 */
import { type Hex, toHex } from "viem";
import { keccak, keccakHex } from "./keccak.ts";
import { bytesOf, decodeRlp, encodeRlp, encodeScalar, listOf, type Rlp } from "./rlp.ts";

export type TrieNodes = ReadonlyMap<Hex, Uint8Array>;

/** `keccak256(rlp(""))`: the root of an empty trie. */
export const EMPTY_ROOT: Hex = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";

/** A node on the path to a key is missing or malformed. */
export class BrokenProof extends Error {}

/**
 * @param key as the trie holds it; the hash of the key in a state or storage trie.
 * @returns null if the nodes prove that there is no such key.
 * @throws BrokenProof
 */
export function lookUp(root: Hex, key: Uint8Array, nodes: TrieNodes): Uint8Array | null {
  if (root === EMPTY_ROOT) return null;
  const path = nibblesOf(key);
  let at = 0;
  let node = resolve(Buffer.from(root.slice(2), "hex"), nodes, at);
  for (;;) {
    if (node.length === 17) {
      if (at === path.length) return storedValue(node[16]!);
      const child = node[path[at++]!]!;
      if (child instanceof Uint8Array && child.length === 0) return null;
      node = resolve(child, nodes, at);
      continue;
    }
    const { leaf, nibbles } = decodePath(bytesOf(node[0]));
    if (!nibbles.every((nibble, i) => path[at + i] === nibble)) return null;
    at += nibbles.length;
    if (leaf) return at === path.length ? storedValue(node[1]!) : null;
    node = resolve(node[1]!, nodes, at);
  }
}

/** Root of the trie of a block's receipts or transactions: item i under rlp(i). */
export function listRoot(items: readonly Uint8Array[]): Hex {
  if (items.length === 0) return EMPTY_ROOT;
  const entries = items
    .map((value, i) => ({ path: nibblesOf(encodeRlp(encodeScalar(i))), value }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  return keccakHex(encodeRlp(build(entries, 0)));
}

interface Entry {
  readonly path: readonly number[];
  readonly value: Uint8Array;
}

/** @param entries sorted by path, equal up to `depth`; no path is a prefix of another. */
function build(entries: readonly Entry[], depth: number): Rlp {
  const [first] = entries as [Entry];
  if (entries.length === 1) return [encodePath(first.path.slice(depth), true), first.value];
  const last = entries.at(-1)!;
  let shared = depth;
  while (first.path[shared] === last.path[shared]) shared++;
  if (shared > depth) return [encodePath(first.path.slice(depth, shared), false), reference(build(entries, shared))];
  const children = Array.from({ length: 16 }, (_, nibble) => {
    const below = entries.filter(({ path }) => path[depth] === nibble);
    return below.length === 0 ? new Uint8Array() : reference(build(below, depth + 1));
  });
  return [...children, new Uint8Array()];
}

/** A node of less than 32 bytes is embedded in its parent. */
function reference(node: Rlp): Rlp {
  const encoded = encodeRlp(node);
  return encoded.length < 32 ? node : keccak(encoded);
}

function resolve(reference: Rlp, nodes: TrieNodes, depth: number): readonly Rlp[] {
  let node = reference;
  if (reference instanceof Uint8Array) {
    const hash = toHex(reference);
    const bytes = nodes.get(hash);
    if (!bytes) throw new BrokenProof(`node ${hash} at depth ${depth} is missing or altered`);
    node = decodeRlp(bytes);
  }
  const items = listOf(node);
  if (items.length !== 17 && items.length !== 2)
    throw new BrokenProof(`the value at depth ${depth} is not a trie node`);
  return items;
}

function storedValue(item: Rlp): Uint8Array | null {
  const bytes = bytesOf(item);
  return bytes.length === 0 ? null : bytes;
}

function nibblesOf(bytes: Uint8Array): number[] {
  return [...bytes].flatMap((byte) => [byte >> 4, byte & 15]);
}

/** Hex-prefix encoding: flag 2 for a leaf, 1 for an odd number of nibbles. */
function encodePath(nibbles: readonly number[], leaf: boolean): Uint8Array {
  const flag = (leaf ? 2 : 0) + (nibbles.length % 2);
  const padded = nibbles.length % 2 ? [flag, ...nibbles] : [flag, 0, ...nibbles];
  return Uint8Array.from({ length: padded.length / 2 }, (_, i) => padded[2 * i]! * 16 + padded[2 * i + 1]!);
}

function decodePath(bytes: Uint8Array): { leaf: boolean; nibbles: readonly number[] } {
  const nibbles = nibblesOf(bytes);
  const flag = nibbles[0] ?? 4;
  if (flag > 3) throw new BrokenProof("the path of a node has an unknown flag");
  return { leaf: flag >= 2, nibbles: nibbles.slice(flag % 2 ? 1 : 2) };
}
