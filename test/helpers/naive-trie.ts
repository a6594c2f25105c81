/** A Merkle Patricia trie by plain insertion, as the yellow paper describes it: what the product's is compared with. */
import { type Hex, keccak256, toHex, toRlp } from "viem";

type Node =
  | { kind: "leaf"; path: number[]; value: Hex }
  | { kind: "extension"; path: number[]; child: Node }
  | { kind: "branch"; children: (Node | null)[]; value: Hex };
type Encoded = Hex | Encoded[];

export interface NaiveTrie {
  readonly root: Hex;
  readonly nodes: Map<Hex, Uint8Array>;
}

export function naiveTrie(entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): NaiveTrie {
  let top: Node | null = null;
  for (const [key, value] of entries) {
    const path = [...key].flatMap((byte) => [byte >> 4, byte & 15]);
    top = insert(top, path, toHex(value));
  }
  const nodes = new Map<Hex, Uint8Array>();
  const keep = (encoded: Encoded): Hex => {
    const bytes = toRlp(encoded, "bytes");
    nodes.set(keccak256(bytes), bytes);
    return keccak256(bytes);
  };
  const reference = (node: Node): Encoded => {
    const encoded = encode(node, reference);
    return toRlp(encoded, "bytes").length < 32 ? encoded : keep(encoded);
  };
  return { root: top ? keep(encode(top, reference)) : keccak256(toRlp("0x")), nodes };
}

function insert(node: Node | null, path: number[], value: Hex): Node {
  if (!node) return { kind: "leaf", path, value };
  if (node.kind === "branch") {
    if (path.length === 0) return { ...node, value };
    const children = node.children.map((child, i) => (i === path[0] ? insert(child, path.slice(1), value) : child));
    return { ...node, children };
  }
  let shared = 0;
  while (shared < node.path.length && node.path[shared] === path[shared]) shared++;
  if (node.kind === "leaf" && shared === node.path.length && shared === path.length) return { ...node, value };
  if (node.kind === "extension" && shared === node.path.length)
    return { ...node, child: insert(node.child, path.slice(shared), value) };
  let branch: Node = { kind: "branch", children: Array<Node | null>(16).fill(null), value: "0x" };
  const rest = node.path.slice(shared);
  if (node.kind === "leaf") branch = insert(branch, rest, node.value);
  else {
    const child: Node = rest.length === 1 ? node.child : { ...node, path: rest.slice(1) };
    branch = { ...branch, children: branch.children.map((none, i) => (i === rest[0] ? child : none)) };
  }
  branch = insert(branch, path.slice(shared), value);
  return shared === 0 ? branch : { kind: "extension", path: path.slice(0, shared), child: branch };
}

function encode(node: Node, reference: (child: Node) => Encoded): Encoded[] {
  if (node.kind === "branch") return [...node.children.map((child) => (child ? reference(child) : "0x")), node.value];
  const leaf = node.kind === "leaf";
  const odd = node.path.length % 2 === 1;
  const nibbles = [(leaf ? 2 : 0) + (odd ? 1 : 0), ...(odd ? [] : [0]), ...node.path];
  const path: Hex = `0x${nibbles.map((nibble) => nibble.toString(16)).join("")}`;
  return [path, node.kind === "leaf" ? node.value : reference(node.child)];
}
