/**
 * Keys of one end of a link, one set per (link, attempt), generated here and deleted with the link. Only public keys and
 * the ciphertext of the key exchange leave this process, except for what the tunnel itself needs.
 */
import {
  createPublicKey,
  decapsulate,
  encapsulate,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from "node:crypto";
import { EphemeshError } from "../../model/errors.ts";
import type { LinkId } from "../../model/ids.ts";

const KEM = "ml-kem-768";

export type KemMessage =
  | { readonly role: "initiator"; readonly ciphertext: string }
  | { readonly role: "responder"; readonly encapsulationKey: string };

export class LinkKeys {
  readonly link: LinkId;
  readonly attempt: number;
  /** Base64, as `wg` expects. */
  readonly privateKey: string;
  readonly publicKey: string;
  readonly encapsulationKey: string;
  readonly #kem: KeyObject;
  #completed: { peerPublicKey: string; exchanged: string; presharedKey: string; ciphertext?: string } | null = null;

  constructor(link: LinkId, attempt: number) {
    this.link = link;
    this.attempt = attempt;
    const wireguard = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
    this.privateKey = base64FromUrl(wireguard.d);
    this.publicKey = base64FromUrl(wireguard.x);
    const kem = generateKeyPairSync(KEM);
    this.#kem = kem.privateKey;
    this.encapsulationKey = kem.publicKey.export({ format: "raw-public" }).toString("base64");
  }

  /**
   * Derives the preshared key. Idempotent: the same message gets the same answer.
   * @throws EphemeshError LINK_ALREADY_COMPLETED, KEM_REFUSED
   */
  complete(peerPublicKey: string, message: KemMessage): { readonly ciphertext?: string } {
    const exchanged = message.role === "initiator" ? message.ciphertext : message.encapsulationKey;
    const before = this.#completed;
    if (before && before.peerPublicKey === peerPublicKey && sameText(before.exchanged, exchanged)) {
      return before.ciphertext === undefined ? {} : { ciphertext: before.ciphertext };
    }
    if (before) {
      throw new EphemeshError(
        "LINK_ALREADY_COMPLETED",
        `Link ${this.link}, attempt ${this.attempt}, was completed with other keys, which stay.`,
        "Start the next attempt of the handshake.",
      );
    }
    const { sharedKey, ciphertext } = this.#exchange(message);
    const presharedKey = Buffer.from(
      hkdfSync("sha256", sharedKey, transcriptSalt(this.link, this.attempt, this.publicKey, peerPublicKey), "", 32),
    ).toString("base64");
    this.#completed = { peerPublicKey, exchanged, presharedKey, ...(ciphertext !== undefined && { ciphertext }) };
    return ciphertext === undefined ? {} : { ciphertext };
  }

  get completed(): { readonly peerPublicKey: string; readonly presharedKey: string } | null {
    return this.#completed;
  }

  #exchange(message: KemMessage): { sharedKey: Buffer; ciphertext?: string } {
    try {
      if (message.role === "initiator") {
        return { sharedKey: decapsulate(this.#kem, Buffer.from(message.ciphertext, "base64")) };
      }
      const key = createPublicKey({
        key: Buffer.from(message.encapsulationKey, "base64"),
        format: "raw-public",
        asymmetricKeyType: KEM,
      });
      const { sharedKey, ciphertext } = encapsulate(key);
      return { sharedKey, ciphertext: ciphertext.toString("base64") };
    } catch (cause) {
      throw new EphemeshError(
        "KEM_REFUSED",
        `The peer's key exchange for link ${this.link} is not valid ML-KEM-768; no key was derived.`,
        "Start the next attempt of the handshake; if it fails again, the peer's software is not compatible.",
        { cause },
      );
    }
  }
}

/** Binds the preshared key to this link, attempt and both WireGuard keys, in the same order at both ends. */
function transcriptSalt(link: LinkId, attempt: number, ownKey: string, peerKey: string): Buffer {
  const keys = [ownKey, peerKey].sort().map((key) => Buffer.from(key, "base64"));
  const number = Buffer.alloc(2);
  number.writeUInt16BE(attempt);
  return Buffer.concat([Buffer.from("ephemesh psk 1"), Buffer.from(link.slice(2), "hex"), number, ...keys]);
}

function base64FromUrl(value: string | undefined): string {
  if (value === undefined) throw new TypeError("a JSON web key without its key");
  return Buffer.from(value, "base64url").toString("base64");
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
