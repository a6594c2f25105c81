/** Headers as validators seal them: made and signed here, because the embedded chain seals nothing. */
import { type Hex, hexToBytes, keccak256, pad, toHex, toRlp } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { headerRlp } from "../../agent/chain/wire-blocks.ts";
import { BFT_MIX_HASH } from "../../agent/reputation/proof/qbft.ts";

export const validators = Array.from({ length: 7 }, (_, i) => privateKeyToAccount(pad(toHex(i + 1), { size: 32 })));

const base = {
  parentHash: pad("0x01", { size: 32 }),
  sha3Uncles: pad("0x02", { size: 32 }),
  miner: pad("0x03", { size: 20 }),
  stateRoot: pad("0x04", { size: 32 }),
  transactionsRoot: pad("0x05", { size: 32 }),
  receiptsRoot: pad("0x06", { size: 32 }),
  logsBloom: pad("0x", { size: 256 }),
  number: "0x1234",
  gasLimit: "0x1c9c380",
  gasUsed: "0x5208",
  timestamp: "0x6b065e14",
  nonce: "0x0000000000000000",
  baseFeePerGas: "0x0",
} as const;

/** Besu's QBFT: [vanity, validators, vote, round, seals], each seal over the header with no seals. */
export async function qbftHeader(
  signers: readonly PrivateKeyAccount[],
  { named = validators, round = 2, fields = {} }: { named?: typeof validators; round?: number; fields?: object } = {},
): Promise<Uint8Array> {
  const extra = (roundHex: Hex, seals: readonly Hex[]) =>
    toRlp([pad("0x", { size: 32 }), named.map(({ address }) => address), [], roundHex, [...seals]]);
  const header = (extraData: Hex) =>
    headerRlp({ ...base, difficulty: "0x1", mixHash: BFT_MIX_HASH, ...fields, extraData });
  const hash = keccak256(header(extra(toHex(round), [])));
  return header(extra(toHex(round), await Promise.all(signers.map((signer) => seal(signer, hash)))));
}

/** The hash that its block has: round 0 and no seals. */
export function qbftHash(named = validators): Hex {
  const extraData = toRlp([pad("0x", { size: 32 }), named.map(({ address }) => address), [], "0x", []]);
  return keccak256(headerRlp({ ...base, difficulty: "0x1", mixHash: BFT_MIX_HASH, extraData }));
}

/** EIP-225: vanity, on an epoch's block the signers, then one signature. */
export async function cliqueHeader(signer: PrivateKeyAccount, epoch = false, fields = {}): Promise<Uint8Array> {
  const vanity: Hex = `${pad("0x", { size: 32 })}${epoch ? validators.map(({ address }) => address.slice(2)).join("") : ""}`;
  const header = (extraData: Hex) =>
    headerRlp({ ...base, difficulty: "0x2", mixHash: pad("0x", { size: 32 }), ...fields, extraData });
  return header(`${vanity}${(await seal(signer, keccak256(header(vanity)))).slice(2)}` as Hex);
}

/** r, s and the parity 0 or 1, as Besu and geth write it. */
async function seal(signer: PrivateKeyAccount, hash: Hex): Promise<Hex> {
  const signature = hexToBytes(await signer.sign({ hash }));
  return toHex(signature.map((byte, i) => (i === 64 ? byte - 27 : byte)));
}
