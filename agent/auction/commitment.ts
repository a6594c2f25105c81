/** Sealing an order: what goes on chain before the reveal phase says nothing but that an order is there, its side and bond. */
import { encodeAbiParameters, type Hex, keccak256, stringToBytes } from "viem";

export const SIDES = ["bid", "ask"] as const;
export type Side = (typeof SIDES)[number];

export interface OrderToSeal {
  readonly chainId: number;
  readonly auction: Hex;
  readonly auctionId: number;
  readonly regionId: number;
  readonly side: Side;
  readonly price: number;
  readonly lots: number;
  readonly boostBps: number;
  /** 32 bytes that nobody can guess, on disk before the commitment is sent. */
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

/** Binds chain, contract, auction and region, so that a copy is worthless (INV-3). */
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
