/** Logs out of a receipt as the receipts trie holds it (EIP-2718: a type byte before the list, but for the oldest type). */
import { type Hex, toHex } from "viem";
import { bytesOf, decodeRlp, listOf } from "./rlp.ts";

export interface ProvenLog {
  readonly address: Hex;
  readonly topics: readonly Uint8Array[];
  readonly data: Uint8Array;
}

/** Those of the wanted addresses (lower case), in order. @throws Error where it is no receipt. */
export function logsOf(receipt: Uint8Array, wanted: ReadonlySet<string>): ProvenLog[] {
  const typed = (receipt[0] ?? 0) < 0x80;
  const [, , , logs] = listOf(decodeRlp(typed ? receipt.subarray(1) : receipt), 4);
  return listOf(logs).flatMap((log) => {
    const [address, topics, data] = listOf(log, 3);
    const from = toHex(bytesOf(address));
    return wanted.has(from) ? [{ address: from, topics: listOf(topics).map(bytesOf), data: bytesOf(data) }] : [];
  });
}
