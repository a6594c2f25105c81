/** The commitment that seals an order: until the reveal phase the chain shows only the order's existence, side and bond. */
import { encodeAbiParameters, type Hex, keccak256, stringToBytes } from "viem";

export const SIDES = ["bid", "ask"] as const;
export type Side = (typeof SIDES)[number];

/** An order and what its commitment binds it to; `price` per lot and slot, `boostBps` in basis points. */
export interface OrderToSeal {
  readonly chainId: number;
  readonly auction: Hex;
  readonly auctionId: number;
  readonly regionId: number;
  readonly side: Side;
  readonly price: number;
  readonly lots: number;
  readonly boostBps: number;
  /** 32 random bytes, on disk before the commitment is sent. */
  readonly salt: Hex;
}

const DOMAIN = keccak256(stringToBytes("ephemesh.order.v1"));
const FIELDS = [
  "bytes32",
  "uint256",
  "address",
  "uint32",
  "uint32",
  "uint8",
  "uint32",
  "uint32",
  "uint16",
  "bytes32",
].map((type) => ({ type }));

/** Binds chain, contract, auction and region, so that nobody can copy it (INV-3). */
export function commitmentOf(order: OrderToSeal): Hex {
  return keccak256(
    encodeAbiParameters(FIELDS, [
      DOMAIN,
      BigInt(order.chainId),
      order.auction,
      order.auctionId,
      order.regionId,
      SIDES.indexOf(order.side),
      order.price,
      order.lots,
      order.boostBps,
      order.salt,
    ]),
  );
}
