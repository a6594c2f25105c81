/** The storage slots that the audit proves, from the compiler's layout, and how their words are decoded. */
import { type Hex, toHex } from "viem";
import type { Credit } from "../rule.ts";
import { keccakHex } from "./keccak.ts";
import { storageLayout } from "./layout.ts";

const { Reputation, Membership } = storageLayout;

export const storageSlots = {
  seller: (region: number): Hex => mappingSlot(region, word(Reputation.sellers.slot)),
  checkpoint: (region: number): Hex => mappingSlot(region, word(Reputation.checkpoints.slot)),
  pair: (seller: number, buyer: number): Hex => mappingSlot(buyer, mappingSlot(seller, word(Reputation.pairs.slot))),
  creditSuspension: (lower: number, higher: number): Hex =>
    mappingSlot(higher, mappingSlot(lower, word(Reputation.creditSuspensions.slot))),
  regionCount: (): Hex => word(Membership.regionCount.slot),
  regionName: (region: number): Hex =>
    toHex(BigInt(mappingSlot(region, word(Membership.records.slot))) + BigInt(Membership.Record.name.slot), {
      size: 32,
    }),
} as const;

/** Decodes a seller's or a pair's word; both structs have the same layout. */
export function creditOf(value: bigint): Credit {
  const { delivered, failed, day } = Reputation.SellerState;
  return {
    delivered: field(value, delivered.offset, 96),
    failed: field(value, failed.offset, 96),
    day: Number(field(value, day.offset, 32)),
  };
}

/** Number of regions. @param value of the storage slot that holds it in Membership */
export function regionCountOf(value: bigint): number {
  return Number(field(value, Membership.regionCount.offset, 32));
}

/** A string of up to 31 bytes; null for a longer one, which is stored elsewhere. */
export function shortStringOf(value: bigint): string | null {
  const bytes = Buffer.from(toHex(value, { size: 32 }).slice(2), "hex");
  const twice = bytes[31]!;
  return twice % 2 === 1 || twice > 62 ? null : bytes.subarray(0, twice / 2).toString("utf8");
}

function field(value: bigint, offset: number, bits: number): bigint {
  return BigInt.asUintN(bits, value >> BigInt(8 * offset));
}

/** The storage slot of a mapping's value: the hash of its key and of the mapping's own storage slot. */
function mappingSlot(key: number, slot: Hex): Hex {
  return keccakHex(Buffer.from(word(key).slice(2) + slot.slice(2), "hex"));
}

function word(value: number): Hex {
  return toHex(value, { size: 32 });
}
