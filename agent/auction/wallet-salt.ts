/**
 * The salt of an order that a wallet seals, derived from the wallet's signature of typed data. The same wallet can derive
 * it again on any machine, so nothing is stored. Works in a browser: it needs viem alone.
 */
import { type Hex, hexToBigInt, isHex, keccak256, numberToHex, size, slice } from "viem";
import { EphemeshError } from "../model/errors.ts";
import { signingDomain } from "../model/signing-domain.ts";

/** The order that the salt belongs to. */
export interface SaltScope {
  readonly chainId: number;
  readonly auction: Hex;
  readonly auctionId: number;
  readonly regionId: number;
}

export type SaltRequest = ReturnType<typeof saltRequest>;

/**
 * Asks the wallet to sign twice: a wallet whose signatures differ could not derive the salt again to reveal its order.
 * @param sign the wallet's `signTypedData`.
 * @throws EphemeshError WALLET_NOT_REPEATABLE · SIGNATURE_UNKNOWN
 */
export async function walletSalt(scope: SaltScope, sign: (request: SaltRequest) => Promise<Hex>): Promise<Hex> {
  const request = saltRequest(scope);
  const [salt, again] = [saltOf(await sign(request)), saltOf(await sign(request))];
  if (salt !== again)
    throw new EphemeshError(
      "WALLET_NOT_REPEATABLE",
      "The wallet's signatures of the same data differ, so the salt could not be derived again. Nothing was sealed.",
      "Use a wallet with deterministic signatures (RFC 6979), or let the region's agent place the order.",
    );
  return salt;
}

/** The typed data that the wallet shows and signs. */
export function saltRequest({ chainId, auction, auctionId, regionId }: SaltScope) {
  return {
    domain: signingDomain(chainId, auction),
    types: {
      OrderSalt: [
        { name: "purpose", type: "string" },
        { name: "auctionId", type: "uint32" },
        { name: "regionId", type: "uint32" },
      ],
    },
    primaryType: "OrderSalt",
    message: {
      purpose: "Seal my order in this auction. Whoever has this signature can read the order: sign it nowhere else.",
      auctionId,
      regionId,
    },
  } as const;
}

const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/**
 * keccak256 of r and the lower of the two s, so that all encodings of one signature give one salt: with or without the
 * recovery bit, compact (EIP-2098), with either s.
 * @throws EphemeshError SIGNATURE_UNKNOWN
 */
export function saltOf(signature: Hex): Hex {
  const length = isHex(signature) ? size(signature) : 0;
  if (length !== 65 && length !== 64)
    throw new EphemeshError(
      "SIGNATURE_UNKNOWN",
      "The wallet's answer is not the signature of a single key. Nothing was sealed.",
      "Use an account that has its own key; the answer of a contract wallet cannot be derived again.",
    );
  const word = hexToBigInt(slice(signature, 32, 64));
  // Of 64 bytes the top bit of s is the recovery bit (EIP-2098).
  const s = length === 64 ? word & (2n ** 255n - 1n) : word;
  const low = s > CURVE_ORDER / 2n ? CURVE_ORDER - s : s;
  return keccak256(`${slice(signature, 0, 32)}${numberToHex(low, { size: 32 }).slice(2)}`);
}
