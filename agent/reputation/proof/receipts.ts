/** Logs of a receipt in the encoding of the receipts trie (EIP-2718: typed receipts have a type byte before the list). */
import { type Hex, toHex } from "viem";
import { bytesOf, decodeRlp, listOf } from "./rlp.ts";

export interface ProvenLog {
  readonly address: Hex;
  readonly topics: readonly Uint8Array[];
  readonly data: Uint8Array;
}

/** @param wanted addresses in lower case; logs of others are left out. @throws Error if the bytes are not a receipt. */
export function logsOf(receipt: Uint8Array, wanted: ReadonlySet<string>): ProvenLog[] {
  const typed = (receipt[0] ?? 0) < 0x80;
  const [, , , logs] = listOf(decodeRlp(typed ? receipt.subarray(1) : receipt), 4);
  return listOf(logs).flatMap((log) => {
    const [address, topics, data] = listOf(log, 3);
    const from = toHex(bytesOf(address));
    return wanted.has(from) ? [{ address: from, topics: listOf(topics).map(bytesOf), data: bytesOf(data) }] : [];
  });
}
