/** Extra data of a QBFT header as Besu writes it: RLP [vanity, validators, vote, round, seals]. */
import type { Hex } from "viem";
import { decodeRlp, encodeRlp, listOf, type Rlp } from "./rlp.ts";

/** The mix hash of every IBFT and QBFT header: "ctical byzantine fault tolerance". */
export const BFT_MIX_HASH: Hex = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365";

export interface QbftExtra {
  readonly vanity: Rlp;
  readonly validators: Rlp;
  readonly vote: Rlp;
  readonly round: Rlp;
  readonly seals: Rlp;
}

/** Whether the header is of a QBFT or IBFT chain. */
export function isQbft({ mixHash }: { readonly mixHash: Hex }): boolean {
  return mixHash === BFT_MIX_HASH;
}

/** @throws Error if the extra data are not such a list. */
export function qbftExtra(extraData: Uint8Array): QbftExtra {
  const [vanity, validators, vote, round, seals] = listOf(decodeRlp(extraData), 5) as readonly [
    Rlp,
    Rlp,
    Rlp,
    Rlp,
    Rlp,
  ];
  return { vanity, validators, vote, round, seals };
}

/** The extra data that go into the block's hash: round 0 and no seals, because those differ from validator to validator. */
export function hashedExtra(extraData: Uint8Array): Uint8Array {
  const { vanity, validators, vote } = qbftExtra(extraData);
  return encodeRlp([vanity, validators, vote, new Uint8Array(), []]);
}
