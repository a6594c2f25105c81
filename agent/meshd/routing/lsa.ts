/**
 * Link-state advertisements (LSAs): the links of one region, signed with its routing key. They carry no prefixes: which
 * region holds which prefix is known from the chain alone (INV-9). The signed bytes are forwarded unchanged.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import type { MeshId, RegionId } from "../../model/ids.ts";

export interface LsaShare {
  readonly buyer: RegionId;
  readonly kbps: number;
}

export interface LsaLink {
  /** First eight bytes of the link's id, in hexadecimal. */
  readonly tag: string;
  readonly peer: RegionId;
  readonly rttMicros: number;
  readonly jitterMicros: number;
  /** Loss of the peer's probes, as the origin measures it. */
  readonly lossPpm: number;
  /** Capacity observed while more was sent; 0: not below the shares. */
  readonly observedKbps: number;
  /** Bits of ATTRIBUTE: what a class of traffic may require of a link. */
  readonly attributes: number;
  /** The buyers that may send over the link, each with its rate. */
  readonly shares: readonly LsaShare[];
}

/** Constraints, never weights (ROUTING.md, section 3). */
export const ATTRIBUTE = { postQuantum: 1 } as const;
const ALL_ATTRIBUTES = ATTRIBUTE.postQuantum;

export interface Lsa {
  readonly meshId: MeshId;
  readonly origin: RegionId;
  /** A region with many links uses several fragments, each with its own sequence numbers. */
  readonly fragment: number;
  readonly incarnation: number;
  readonly sequence: number;
  /** The origin is about to stop: paths may begin and end at it, but not lead through it. */
  readonly noTransit: boolean;
  readonly links: readonly LsaLink[];
}

export interface SignedLsa {
  readonly lsa: Lsa;
  readonly bytes: Buffer;
}

/** With the flooding header it fits the smallest inner MTU, 1,280 bytes. */
export const MAX_LSA_BYTES = 1_200;
export const MAX_FRAGMENTS = 64;
const SIGNATURE_BYTES = 64;
const HEADER_BYTES = 22;
const LINK_BYTES = 30;
const NO_TRANSIT = 1;
const SHARE_BYTES = 8;
const DOMAIN = Buffer.from("ephemesh lsa 1\n");
/** Longer round trips are refused as implausible. */
const MAX_RTT_MICROS = 10_000_000;
const MAX_KBPS = 1_000_000_000;

/** Splits links into fragments, in the order given; at least one, so that "no links" can be advertised too. */
export function fragments(links: readonly LsaLink[]): readonly (readonly LsaLink[])[] {
  const parts: LsaLink[][] = [[]];
  let bytes = HEADER_BYTES + SIGNATURE_BYTES;
  for (const link of links) {
    const size = LINK_BYTES + link.shares.length * SHARE_BYTES;
    if (bytes + size > MAX_LSA_BYTES && (parts.at(-1)?.length ?? 0) > 0) {
      parts.push([]);
      bytes = HEADER_BYTES + SIGNATURE_BYTES;
    }
    parts.at(-1)?.push(link);
    bytes += size;
  }
  return parts;
}

/** Encodes an advertisement and signs it. @param key Ed25519 private key of the origin */
export function signLsa(lsa: Lsa, key: KeyObject): SignedLsa {
  const body = encodeBody(lsa);
  return { lsa, bytes: Buffer.concat([body, sign(null, Buffer.concat([DOMAIN, body]), key)]) };
}

/** Whether the bytes carry the signature of the key's owner. */
export function verifyLsa(bytes: Buffer, key: KeyObject): boolean {
  const body = bytes.subarray(0, -SIGNATURE_BYTES);
  return verify(null, Buffer.concat([DOMAIN, body]), key, bytes.subarray(-SIGNATURE_BYTES));
}

/** Null: malformed or implausible. Does not check the signature. */
export function decodeLsa(bytes: Buffer): Lsa | null {
  if (bytes.length < HEADER_BYTES + SIGNATURE_BYTES || bytes.length > MAX_LSA_BYTES) return null;
  const end = bytes.length - SIGNATURE_BYTES;
  if (bytes.readUInt8(0) !== 1) return null;
  const count = bytes.readUInt16BE(20);
  const links: LsaLink[] = [];
  let at = HEADER_BYTES;
  for (let index = 0; index < count; index++) {
    if (at + LINK_BYTES > end) return null;
    const shareCount = bytes.readUInt8(at + 29);
    if (at + LINK_BYTES + shareCount * SHARE_BYTES > end) return null;
    const link: LsaLink = {
      tag: bytes.toString("hex", at, at + 8),
      peer: bytes.readUInt32BE(at + 8) as RegionId,
      rttMicros: bytes.readUInt32BE(at + 12),
      jitterMicros: bytes.readUInt32BE(at + 16),
      lossPpm: bytes.readUInt32BE(at + 20),
      observedKbps: bytes.readUInt32BE(at + 24),
      attributes: bytes.readUInt8(at + 28),
      shares: Array.from({ length: shareCount }, (_, share) => ({
        buyer: bytes.readUInt32BE(at + LINK_BYTES + share * SHARE_BYTES) as RegionId,
        kbps: bytes.readUInt32BE(at + LINK_BYTES + share * SHARE_BYTES + 4),
      })),
    };
    if (!isPlausible(link)) return null;
    links.push(link);
    at += LINK_BYTES + shareCount * SHARE_BYTES;
  }
  const lsa: Lsa = {
    fragment: bytes.readUInt8(1),
    noTransit: bytes.readUInt8(2) === NO_TRANSIT,
    meshId: bytes.readUInt32BE(4) as MeshId,
    origin: bytes.readUInt32BE(8) as RegionId,
    incarnation: bytes.readUInt32BE(12),
    sequence: bytes.readUInt32BE(16),
    links,
  };
  const canonical =
    at === end && bytes.readUInt8(2) <= NO_TRANSIT && bytes.readUInt8(3) === 0 && lsa.fragment < MAX_FRAGMENTS;
  return canonical && new Set(links.map((link) => link.tag)).size === links.length ? lsa : null;
}

function isPlausible(link: LsaLink): boolean {
  return (
    link.rttMicros > 0 &&
    link.rttMicros <= MAX_RTT_MICROS &&
    link.jitterMicros <= MAX_RTT_MICROS &&
    link.lossPpm < 1_000_000 &&
    link.observedKbps <= MAX_KBPS &&
    (link.attributes & ~ALL_ATTRIBUTES) === 0 &&
    link.shares.every((share) => share.kbps > 0 && share.kbps <= MAX_KBPS)
  );
}

function encodeBody(lsa: Lsa): Buffer {
  const size = lsa.links.reduce((sum, link) => sum + LINK_BYTES + link.shares.length * SHARE_BYTES, HEADER_BYTES);
  const body = Buffer.alloc(size);
  body.writeUInt8(1, 0);
  body.writeUInt8(lsa.fragment, 1);
  body.writeUInt8(lsa.noTransit ? NO_TRANSIT : 0, 2);
  body.writeUInt32BE(lsa.meshId, 4);
  body.writeUInt32BE(lsa.origin, 8);
  body.writeUInt32BE(lsa.incarnation, 12);
  body.writeUInt32BE(lsa.sequence, 16);
  body.writeUInt16BE(lsa.links.length, 20);
  let at = HEADER_BYTES;
  for (const link of lsa.links) {
    body.write(link.tag, at, "hex");
    body.writeUInt32BE(link.peer, at + 8);
    body.writeUInt32BE(Math.min(link.rttMicros, MAX_RTT_MICROS), at + 12);
    body.writeUInt32BE(Math.min(link.jitterMicros, MAX_RTT_MICROS), at + 16);
    body.writeUInt32BE(Math.min(link.lossPpm, 999_999), at + 20);
    body.writeUInt32BE(Math.min(link.observedKbps, MAX_KBPS), at + 24);
    body.writeUInt8(link.attributes, at + 28);
    body.writeUInt8(link.shares.length, at + 29);
    link.shares.forEach((share, index) => {
      body.writeUInt32BE(share.buyer, at + LINK_BYTES + index * SHARE_BYTES);
      body.writeUInt32BE(Math.min(share.kbps, MAX_KBPS), at + LINK_BYTES + index * SHARE_BYTES + 4);
    });
    at += LINK_BYTES + link.shares.length * SHARE_BYTES;
  }
  return body;
}

/** Compares by incarnation, then by sequence. */
export function isNewer(
  a: { readonly incarnation: number; readonly sequence: number },
  b: { readonly incarnation: number; readonly sequence: number },
): boolean {
  return a.incarnation !== b.incarnation ? a.incarnation > b.incarnation : a.sequence > b.sequence;
}

/** An Ed25519 public key as Membership registers it: 32 raw bytes in hexadecimal. */
export function routingPublicKey(hex: string): KeyObject {
  return createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(hex.slice(2), "hex").toString("base64url") },
    format: "jwk",
  });
}

/** The key's seed, 32 bytes in hexadecimal, as the key file holds it. */
export function routingPrivateKey(seedHex: string): KeyObject {
  const pkcs8 = Buffer.concat([
    Buffer.from("302e020100300506032b657004220420", "hex"),
    Buffer.from(seedHex.replace(/^0x/, ""), "hex"),
  ]);
  return createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
}
