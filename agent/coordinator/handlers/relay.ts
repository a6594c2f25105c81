/**
 * A region that is cut off from the chain hands its signed transactions to a peer, which sends them. The bytes are
 * signed: the peer can neither change nor repeat them. A peer forwards only transactions that the asking region signed,
 * to the contracts of the deployment.
 */
import { type Hex, isAddressEqual, parseTransaction, recoverTransactionAddress } from "viem";
import { z } from "zod";
import { EphemeshError } from "../../model/errors.ts";
import type { RegionId } from "../../model/ids.ts";
import { regionOf, type Site } from "../site.ts";

/** A batch of reveals is the largest that an agent sends. */
const MAX_HEX_DIGITS = 40_000;
/** Peers that are asked at once; one that sends it is enough. */
const PEERS_AT_ONCE = 4;

const request = z.strictObject({
  raw: z
    .string()
    .regex(/^0x[0-9a-f]+$/)
    .max(MAX_HEX_DIGITS)
    .transform((text) => text as Hex),
});

/** @throws EphemeshError NO_RELAY (retryable) where no peer could send it */
export async function relayTransaction(site: Site, raw: Hex): Promise<void> {
  const peers = [...site.regions().values()].filter((region) => region.id !== site.self && region.active);
  for (let at = 0; at < peers.length; at += PEERS_AT_ONCE) {
    const asked = peers
      .slice(at, at + PEERS_AT_ONCE)
      .map((peer) => site.control.ask(peer, "relay-transaction", { raw }));
    const sent = await Promise.any(asked).then(
      () => true,
      () => false,
    );
    if (sent) return;
  }
  throw new EphemeshError(
    "NO_RELAY",
    "No peer that reaches the chain answers. The transaction stays signed and on disk.",
    "The agent hands it over again.",
    { retryable: true },
  );
}

/** @throws EphemeshError RELAY_REFUSED, RPC_UNREACHABLE */
export async function answerRelay(site: Site, from: RegionId, body: unknown): Promise<Record<string, never>> {
  const { raw } = request.parse(body);
  const { membership, auction, escrow, chainId } = site.deployment;
  const transaction = readTransaction(raw);
  const signer = await recoverTransactionAddress({ serializedTransaction: raw as `0x02${string}` }).catch(() => null);
  const { to } = transaction;
  if (!signer || !isAddressEqual(signer, regionOf(site, from).agentKey))
    throw refused("it is not signed by the region that asks");
  if (transaction.chainId !== chainId) throw refused("it is for another chain");
  if (!to || ![membership, auction, escrow].some((address) => isAddressEqual(address, to)))
    throw refused("it goes to none of the deployment's contracts");
  await site.chain.submit(raw);
  return {};
}

function readTransaction(raw: Hex): ReturnType<typeof parseTransaction> {
  try {
    return parseTransaction(raw);
  } catch {
    throw refused("it is not a transaction");
  }
}

function refused(reason: string): EphemeshError {
  return new EphemeshError(
    "RELAY_REFUSED",
    `The transaction was not sent: ${reason}.`,
    "Ask only for transactions that your own agent signed for this deployment.",
  );
}
