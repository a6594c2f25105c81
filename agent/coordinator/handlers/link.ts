/**
 * The handshake of one link: keys, endpoints, MTU, security profile and bounds, each side's message signed. Both end
 * with the same transcript hash. Tunnel keys and the preshared key never leave the two meshds.
 */
import { type Hex, keccak256, stringToHex } from "viem";
import { z } from "zod";
import type { UnderlayConfig } from "../../config.ts";
import { ipAddress } from "../../model/address.ts";
import { EphemeshError } from "../../model/errors.ts";
import { linkId, meshId, type RegionId } from "../../model/ids.ts";
import { type WantedLink, wantedLinks } from "../links.ts";
import type { AgreedLink, Mesh } from "../mesh.ts";
import { type Action, RETRY_LOST_MILLIS } from "../next-actions.ts";
import { chainNow, regionOf, type Site } from "../site.ts";

/** X25519 by WireGuard with a preshared key from ML-KEM-768: closed to who records now and computes later. */
export const SECURITY_PROFILE = "wireguard+mlkem768";

const key32 = z.string().regex(/^[A-Za-z0-9+/]{43}=$/);
const endpoint = z.strictObject({ address: ipAddress, port: z.number().int().min(1).max(65535) });
const mtu = z.number().int().min(1280).max(9000);

export const linkOffer = z.strictObject({
  meshId,
  linkId,
  attempt: z.number().int().min(0).max(0xffff),
  profile: z.string().max(40),
  publicKey: key32,
  encapsulationKey: z.string().max(1600),
  endpoint,
  mtu,
  latencyBoundMicros: z.number().int().positive(),
});
export type LinkOffer = z.infer<typeof linkOffer>;

const linkAccept = z.strictObject({
  publicKey: key32,
  ciphertext: z.string().max(1500),
  endpoint,
  mtu,
  transcript: z.string().regex(/^0x[0-9a-f]{64}$/),
});
type LinkAccept = z.infer<typeof linkAccept>;

/** Makes the keys of a link, agrees on it with the peer, and journals it. @throws EphemeshError NO_UNDERLAY, HANDSHAKE_TRANSCRIPT, PEER_UNREACHABLE, the peer's refusals, those of meshd */
export async function offerLink(
  site: Site,
  mesh: Mesh,
  { link, attempt }: Extract<Action, { kind: "offer-link" }>,
): Promise<void> {
  const underlay = underlayOf(site, link.fabric);
  const prepared = await site.meshd.ask("prepareLink", { linkId: link.linkId, attempt, underlay: underlay.name });
  const offer: LinkOffer = {
    meshId: mesh.id!,
    linkId: link.linkId,
    attempt,
    profile: SECURITY_PROFILE,
    publicKey: prepared.publicKey,
    encapsulationKey: prepared.encapsulationKey,
    endpoint: { address: underlay.endpoint, port: prepared.listenPort },
    mtu: prepared.mtu,
    latencyBoundMicros: link.latencyBoundMicros,
  };
  const peer = regionOf(site, link.peer);
  const accept = linkAccept.parse(
    await site.control
      .ask(peer, "link-offer", offer, { subject: link.linkId as Hex, timeoutMillis: 5000 })
      .catch((error: unknown) => {
        throw mesh.withdrawn.has(link.linkId) && error instanceof EphemeshError ? seldom(error) : error;
      }),
  );
  const transcript = transcriptOf(offer, accept);
  if (transcript !== accept.transcript)
    throw new EphemeshError(
      "HANDSHAKE_TRANSCRIPT",
      `Region ${link.peer} answered another offer than ours.`,
      "The handshake is tried again.",
      { retryable: true },
    );
  await site.meshd.ask("completeLink", {
    linkId: link.linkId,
    attempt,
    peerPublicKey: accept.publicKey,
    peerAddress: accept.endpoint.address,
    kem: { role: "initiator", ciphertext: accept.ciphertext },
  });
  agree(site, mesh, link, attempt, underlay, accept, Math.min(prepared.mtu, accept.mtu), transcript);
}

/** A peer that has been away for long is not asked more often. */
function seldom(error: EphemeshError): EphemeshError {
  const { code, message, remedy } = error;
  return new EphemeshError(code, message, remedy, { retryAfterSeconds: RETRY_LOST_MILLIS / 1000, cause: error });
}

/** @throws EphemeshError LINK_UNKNOWN, LINK_PROFILE, LINK_BOUNDS, LINK_ATTEMPT_OLD */
export async function acceptLink(site: Site, from: RegionId, offer: LinkOffer): Promise<LinkAccept> {
  const mesh = [...site.world().meshes.values()].find((m) => m.id === offer.meshId);
  const link = mesh && wantedLinks(mesh, site.self, chainNow(site)).find((l) => l.linkId === offer.linkId);
  if (!mesh || !link || link.peer !== from || link.initiates)
    throw new EphemeshError(
      "LINK_UNKNOWN",
      `Region ${site.self} has no such link with region ${from}, or has not read its lease or topology yet.`,
      "Offer it again when both have seen the lease and the topology.",
      { retryable: true },
    );
  if (offer.profile !== SECURITY_PROFILE)
    throw new EphemeshError(
      "LINK_PROFILE",
      `The security profile ${offer.profile} is not accepted; ${SECURITY_PROFILE} is.`,
      "Update the older of the two agents: both must use the same profile.",
    );
  if (offer.latencyBoundMicros !== link.latencyBoundMicros)
    throw new EphemeshError(
      "LINK_BOUNDS",
      "The bounds are not those of the auction.",
      "Read the auction's terms from the chain.",
    );
  const agreed = mesh.links.get(link.linkId);
  if (agreed && offer.attempt < agreed.attempt)
    throw new EphemeshError(
      "LINK_ATTEMPT_OLD",
      `Attempt ${agreed.attempt} was agreed on already.`,
      "Offer a later attempt.",
    );
  const underlay = underlayOf(site, link.fabric);
  const prepared = await site.meshd.ask("prepareLink", {
    linkId: link.linkId,
    attempt: offer.attempt,
    underlay: underlay.name,
  });
  const completed = await site.meshd.ask("completeLink", {
    linkId: link.linkId,
    attempt: offer.attempt,
    peerPublicKey: offer.publicKey,
    peerAddress: offer.endpoint.address,
    kem: { role: "responder", encapsulationKey: offer.encapsulationKey },
  });
  const answer = {
    publicKey: prepared.publicKey,
    ciphertext: completed.ciphertext ?? "",
    endpoint: { address: underlay.endpoint, port: prepared.listenPort },
    mtu: prepared.mtu,
  };
  const transcript = transcriptOf(offer, answer);
  // Read again: the link may have been withdrawn while meshd prepared it.
  const now = site.world().meshes.get(mesh.key);
  if (now?.links.get(link.linkId)?.transcript !== transcript || now.withdrawn.has(link.linkId))
    agree(site, mesh, link, offer.attempt, underlay, offer, Math.min(prepared.mtu, offer.mtu), transcript);
  return { ...answer, transcript };
}

function agree(
  site: Site,
  mesh: Mesh,
  link: WantedLink,
  attempt: number,
  underlay: UnderlayConfig,
  peer: { readonly endpoint: AgreedLink["peerEndpoint"] },
  smallerMtu: number,
  transcript: Hex,
): void {
  site.dispatch({
    type: "LinkAgreed",
    meshId: mesh.id!,
    link: {
      linkId: link.linkId,
      attempt,
      peer: link.peer,
      underlay: underlay.name,
      peerEndpoint: peer.endpoint,
      mtu: smallerMtu,
      transcript,
    },
  });
}

function transcriptOf(
  offer: LinkOffer,
  { publicKey, ciphertext, endpoint: at, mtu: size }: Omit<LinkAccept, "transcript">,
): Hex {
  return keccak256(
    stringToHex(JSON.stringify([linkOffer.parse(offer), publicKey, ciphertext, at.address, at.port, size])),
  );
}

function underlayOf(site: Site, fabric: string): UnderlayConfig {
  const underlay = site.config.underlays.find((u) => u.fabric === fabric);
  if (!underlay)
    throw new EphemeshError(
      "NO_UNDERLAY",
      `This region has no underlay on fabric ${fabric}.`,
      "Add one to `underlays` and restart.",
    );
  return underlay;
}
