/**
 * What an untrusted source says, in the order in which the audit takes it: the header that everything hangs on, where
 * its seals ask for them its children, blocks in ascending order, trie nodes, the end. A bundle is the same, one JSON object a line, so that a file and a node go
 * through one check.
 */
import { type Hex, toHex } from "viem";
import { z } from "zod";

export type Statement =
  | {
      readonly kind: "anchor";
      readonly format: 1;
      readonly chainId: number;
      readonly reputation: string;
      /** Only settlements of this seller; null: of all. */
      readonly region: number | null;
      /** Every block follows, each the parent of the next; else only those that are said to hold settlements. */
      readonly everyBlock: boolean;
      readonly hash: Hex;
      readonly header: Uint8Array;
    }
  | {
      readonly kind: "block";
      readonly hash: Hex;
      readonly header: Uint8Array;
      /** All of the block's, as its receipts trie holds them; null where none is needed. */
      readonly receipts: readonly Uint8Array[] | null;
    }
  /** The block after the anchor, or after the last child: whoever seals it vouches for those below (Clique). */
  | { readonly kind: "child"; readonly hash: Hex; readonly header: Uint8Array }
  /** Of the state trie and the contracts' storage tries, in any order. */
  | { readonly kind: "nodes"; readonly nodes: readonly Uint8Array[] }
  | { readonly kind: "end" };

export type Anchor = Extract<Statement, { kind: "anchor" }>;
export type Child = Extract<Statement, { kind: "child" }>;
export type Block = Extract<Statement, { kind: "block" }>;

const bytes = z
  .string()
  .regex(/^0x([0-9a-f]{2})*$/)
  .transform((text): Uint8Array => Buffer.from(text.slice(2), "hex"));
const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .transform((text) => text as Hex);
const statement = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("anchor"),
    format: z.literal(1),
    chainId: z.number().int(),
    reputation: z.string(),
    region: z.number().int().positive().nullable(),
    everyBlock: z.boolean(),
    hash,
    header: bytes,
  }),
  z.strictObject({ kind: z.literal("block"), hash, header: bytes, receipts: z.array(bytes).nullable() }),
  z.strictObject({ kind: z.literal("child"), hash, header: bytes }),
  z.strictObject({ kind: z.literal("nodes"), nodes: z.array(bytes) }),
  z.strictObject({ kind: z.literal("end") }),
]);

export function statementLine(said: Statement): string {
  return `${JSON.stringify(inHex(said))}\n`;
}

function inHex(said: Statement): unknown {
  switch (said.kind) {
    case "anchor":
    case "child":
      return { ...said, header: toHex(said.header) };
    case "block":
      return { ...said, header: toHex(said.header), receipts: said.receipts?.map((receipt) => toHex(receipt)) ?? null };
    case "nodes":
      return { ...said, nodes: said.nodes.map((node) => toHex(node)) };
    case "end":
      return said;
  }
}

/** @throws Error or SyntaxError that says why the line is no statement. */
export function parseStatement(line: string): Statement {
  const parsed = statement.safeParse(JSON.parse(line));
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error).replaceAll(/\n\s*/g, " "));
  return parsed.data;
}
