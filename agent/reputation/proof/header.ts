/** Block headers, up to the Prague fork (EIP-1559, 4895, 4844, 4788, 7685). */
import { type Hex, hexToBytes, toHex } from "viem";
import { keccak, keccakHex } from "./keccak.ts";
import { hashedExtra, isQbft } from "./qbft.ts";
import { bytesOf, decodeRlp, decodeScalar, encodeRlp, listOf, type Rlp } from "./rlp.ts";

export interface Header {
  readonly parentHash: Hex;
  readonly stateRoot: Hex;
  readonly receiptsRoot: Hex;
  readonly logsBloom: Uint8Array;
  readonly difficulty: bigint;
  readonly number: number;
  readonly gasUsed: bigint;
  /** Unix second. */
  readonly timestamp: number;
  readonly extraData: Uint8Array;
  readonly mixHash: Hex;
  /** All fields in order, as they are hashed. */
  readonly fields: readonly Rlp[];
}

const EXTRA_DATA = 12;
const MIN_FIELDS = 15;
const MAX_FIELDS = 21;
/** Bytes of each field; null: a number, or any length. */
const WIDTHS = [32, 32, 20, 32, 32, 32, 256, null, null, null, null, null, null, 32, 8, null, 32, null, null, 32, 32];

/** @throws Error if the bytes are not a header. */
export function decodeHeader(rlp: Uint8Array): Header {
  const fields = listOf(decodeRlp(rlp));
  if (fields.length < MIN_FIELDS || fields.length > MAX_FIELDS) throw new Error(`a header has ${fields.length} fields`);
  for (const [i, field] of fields.entries()) {
    const width = WIDTHS[i];
    if (width && bytesOf(field).length !== width) throw new Error(`field ${i} of a header has the wrong length`);
  }
  const hash = (i: number) => toHex(bytesOf(fields[i]));
  return {
    parentHash: hash(0),
    stateRoot: hash(3),
    receiptsRoot: hash(5),
    logsBloom: bytesOf(fields[6]),
    difficulty: decodeScalar(fields[7]),
    number: Number(decodeScalar(fields[8])),
    gasUsed: decodeScalar(fields[10]),
    timestamp: Number(decodeScalar(fields[11])),
    extraData: bytesOf(fields[EXTRA_DATA]),
    mixHash: hash(13),
    fields,
  };
}

/** The block's hash. QBFT excludes seals and round from it, because they differ from validator to validator. */
export function headerHash(header: Header): Hex {
  return hashWithExtra(header, isQbft(header) && header.number > 0 ? hashedExtra(header.extraData) : header.extraData);
}

/** The header's hash with other extra data: what validators sign. */
export function hashWithExtra({ fields }: Header, extraData: Uint8Array): Hex {
  return keccakHex(encodeRlp(fields.map((field, i) => (i === EXTRA_DATA ? extraData : field))));
}

/** Bloom filter: false means that the block has no log of this address. */
export function mayHoldLogsOf({ logsBloom }: Pick<Header, "logsBloom">, address: Hex): boolean {
  const hash = keccak(hexToBytes(address));
  return [0, 2, 4].every((i) => {
    const bit = ((hash[i]! << 8) | hash[i + 1]!) & 2047;
    return ((logsBloom[255 - (bit >> 3)]! >> (bit & 7)) & 1) === 1;
  });
}
