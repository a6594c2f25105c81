/** Keccak-256 in WebAssembly: an audit hashes every receipt, and plain JavaScript is sixteen times slower. */
import { createKeccak } from "hash-wasm";
import type { Hex } from "viem";

const hasher = await createKeccak(256);

/** Keccak-256, 32 bytes. */
export function keccak(bytes: Uint8Array): Uint8Array {
  return hasher.init().update(bytes).digest("binary");
}

/** Keccak-256 as 0x and 64 digits. */
export function keccakHex(bytes: Uint8Array): Hex {
  return `0x${hasher.init().update(bytes).digest("hex")}`;
}
