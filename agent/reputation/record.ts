/**
 * What an audit reads from an untrusted source, in this order: the anchor header, its children (Clique only), blocks in
 * ascending order, trie nodes, the end. A bundle holds the same records, one JSON object a line.
 */
import { type Hex, toHex } from "viem";
import { z } from "zod";

export type AuditRecord =
  | {
      readonly kind: "anchor";
      readonly format: 1;
      readonly chainId: number;
      readonly reputation: string;
      /** Settlements of this seller only; null: of all. */
      readonly region: number | null;
      /** True: every block follows; false: only blocks with settlements, as the source says. */
      readonly everyBlock: boolean;
      readonly hash: Hex;
      readonly header: Uint8Array;
    }
  | {
      readonly kind: "block";
      readonly hash: Hex;
      readonly header: Uint8Array;
      /** All receipts of the block, as its receipts trie holds them; null if the block has no events to read. */
      readonly receipts: readonly Uint8Array[] | null;
    }
  /** The block after the anchor or the last child; its signer vouches for its ancestors, too (Clique). */
  | { readonly kind: "child"; readonly hash: Hex; readonly header: Uint8Array }
  /** Nodes of the state trie and of the contracts' storage tries, in any order. */
  | { readonly kind: "nodes"; readonly nodes: readonly Uint8Array[] }
  | { readonly kind: "end" };

export type Anchor = Extract<AuditRecord, { kind: "anchor" }>;
export type Child = Extract<AuditRecord, { kind: "child" }>;
export type Block = Extract<AuditRecord, { kind: "block" }>;

const bytes = z
  .string()
  .regex(/^0x([0-9a-f]{2})*$/)
  .transform((text): Uint8Array => Buffer.from(text.slice(2), "hex"));
const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .transform((text) => text as Hex);
const auditRecord = z.discriminatedUnion("kind", [
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

/** One line of a bundle, with its line feed. */
export function recordLine(said: AuditRecord): string {
  return `${JSON.stringify(inHex(said))}\n`;
}

function inHex(said: AuditRecord): unknown {
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

/** @throws Error or SyntaxError with the reason if the line is not a record. */
export function parseRecord(line: string): AuditRecord {
  const parsed = auditRecord.safeParse(JSON.parse(line));
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error).replaceAll(/\n\s*/g, " "));
  return parsed.data;
}
