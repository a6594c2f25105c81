/** Blocks and receipts from a node's JSON into the RLP that hashes are made of. Nothing is checked here but the shape. */
import { encodeRlp, encodeScalar, type RlpSource } from "../reputation/proof/rlp.ts";

type Json = Readonly<Record<string, unknown>>;

/** Header fields in order; those from London on may end early. */
const HEADER: readonly (readonly [name: string, kind: "bytes" | "number"])[] = [
  ["parentHash", "bytes"],
  ["sha3Uncles", "bytes"],
  ["miner", "bytes"],
  ["stateRoot", "bytes"],
  ["transactionsRoot", "bytes"],
  ["receiptsRoot", "bytes"],
  ["logsBloom", "bytes"],
  ["difficulty", "number"],
  ["number", "number"],
  ["gasLimit", "number"],
  ["gasUsed", "number"],
  ["timestamp", "number"],
  ["extraData", "bytes"],
  ["mixHash", "bytes"],
  ["nonce", "bytes"],
  ["baseFeePerGas", "number"],
  ["withdrawalsRoot", "bytes"],
  ["blobGasUsed", "number"],
  ["excessBlobGas", "number"],
  ["parentBeaconBlockRoot", "bytes"],
  ["requestsHash", "bytes"],
];

/** @throws Error where a field is missing or not hexadecimal. */
export function headerRlp(block: Json): Uint8Array {
  const present = HEADER.filter(([name]) => block[name] !== undefined && block[name] !== null);
  return encodeRlp(present.map(([name, kind]) => (kind === "bytes" ? text(block[name], name) : number(block, name))));
}

/** As the receipts trie holds it. @throws Error where a field is missing or not hexadecimal. */
export function receiptRlp(receipt: Json): Uint8Array {
  const list = encodeRlp([
    receipt.status === undefined || receipt.status === null ? text(receipt.root, "root") : number(receipt, "status"),
    number(receipt, "cumulativeGasUsed"),
    text(receipt.logsBloom, "logsBloom"),
    array(receipt.logs, "logs").map((log): RlpSource => {
      const { address, topics, data } = object(log, "a log");
      return [
        text(address, "address"),
        array(topics, "topics").map((topic) => text(topic, "a topic")),
        text(data, "data"),
      ];
    }),
  ]);
  const type = receipt.type === undefined ? 0 : Number(receipt.type);
  return type === 0 ? list : Buffer.concat([Buffer.of(type), list]);
}

export function object(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${what} is not an object`);
  return value as Json;
}

export function array(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${what} is not a list`);
  return value;
}

export function hexText(fields: Json, name: string): `0x${string}` {
  const text = fields[name];
  if (typeof text !== "string" || !/^0x[0-9a-fA-F]*$/.test(text)) throw new Error(`${name} is not hexadecimal`);
  return text as `0x${string}`;
}

/** The encoder checks that it is hexadecimal. */
function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Error(`${what} is not text`);
  return value;
}

function number(fields: Json, name: string): Uint8Array {
  const digits = hexText(fields, name);
  if (digits.length < 3) throw new Error(`${name} is not a number`);
  return encodeScalar(BigInt(digits));
}
