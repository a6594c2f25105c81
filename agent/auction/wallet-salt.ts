/**
 * The salt of an order that a wallet seals: derived from the wallet's signature over typed data that a person can read,
 * so that the same wallet finds it again on any machine, with nothing kept. For a browser too: viem alone.
 */
import { type Hex, hexToBigInt, isHex, keccak256, numberToHex, size, slice } from "viem";
import { EphemeshError } from "../model/errors.ts";
import { signingDomain } from "../model/signing-domain.ts";

/** Which order the salt belongs to. */
export interface SaltScope {
  readonly chainId: number;
  readonly auction: Hex;
  readonly auctionId: number;
  readonly regionId: number;
}

export type SaltRequest = ReturnType<typeof saltRequest>;

/**
 * Asks the wallet twice: one that signs the same data differently each time could never open its order again.
 * @param sign the wallet's `signTypedData`.
 * @throws EphemeshError WALLET_NOT_REPEATABLE · SIGNATURE_UNKNOWN
 */
export async function walletSalt(scope: SaltScope, sign: (request: SaltRequest) => Promise<Hex>): Promise<Hex> {
  const request = saltRequest(scope);
  const [salt, again] = [saltOf(await sign(request)), saltOf(await sign(request))];
  if (salt !== again)
    throw new EphemeshError(
      "WALLET_NOT_REPEATABLE",
      "The wallet signs the same data differently each time, so it could not find its salt again; nothing was sealed.",
      "Use a wallet with deterministic signatures (RFC 6979), or let the region's agent order.",
    );
  return salt;
}

/** What the wallet shows and signs. */
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
 * keccak256 of r and the lower of the two s: the recovery bit, the compact form and a flipped s are one signature
 * written by different wallets' front ends.
 * @throws EphemeshError SIGNATURE_UNKNOWN
 */
export function saltOf(signature: Hex): Hex {
  const length = isHex(signature) ? size(signature) : 0;
  if (length !== 65 && length !== 64)
    throw new EphemeshError(
      "SIGNATURE_UNKNOWN",
      "The wallet's answer is not a signature by one key; nothing was sealed.",
      "Use an account with a key of its own: a contract wallet's answer cannot be derived again.",
    );
  const word = hexToBigInt(slice(signature, 32, 64));
  // Of 64 bytes the top bit of s is the recovery bit (EIP-2098).
  const s = length === 64 ? word & (2n ** 255n - 1n) : word;
  const low = s > CURVE_ORDER / 2n ? CURVE_ORDER - s : s;
  return keccak256(`${slice(signature, 0, 32)}${numberToHex(low, { size: 32 }).slice(2)}`);
}
