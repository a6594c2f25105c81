/** The keys of links, from the handshake on, in memory only. */
import { EphemeshError } from "../../model/errors.ts";
import type { LinkId } from "../../model/ids.ts";
import { SerialQueue } from "../../model/serial-queue.ts";
import type { KemMessage } from "../eni/keys.ts";
import { LinkKeys } from "../eni/keys.ts";
import { unusedPort } from "../eni/ports.ts";
import type { Underlay } from "../steering/outer.ts";

/** For a handshake that was started and never used. */
const FORGOTTEN_AFTER_MILLIS = 15 * 60_000;
const MAX_PREPARED = 2_048;

export interface Prepared {
  readonly keys: LinkKeys;
  readonly underlay: string;
  readonly listenPort: number;
  readonly sinceMillis: number;
}

const keyOf = (link: LinkId, attempt: number): string => `${link}/${attempt}`;

export class KeyStore {
  readonly #prepared = new Map<string, Prepared>();
  /** Ports are chosen one after the other, so that no two links get the same. */
  readonly #queue = new SerialQueue();

  get(link: LinkId, attempt: number): Prepared | undefined {
    return this.#prepared.get(keyOf(link, attempt));
  }

  prepare(link: LinkId, attempt: number, underlay: Underlay, nowMillis: number): Promise<Prepared> {
    return this.#queue.run(() => this.#prepare(link, attempt, underlay, nowMillis));
  }

  complete(link: LinkId, attempt: number, peerPublicKey: string, kem: KemMessage): { readonly ciphertext?: string } {
    const prepared = this.get(link, attempt);
    if (!prepared) {
      throw new EphemeshError(
        "LINK_NOT_PREPARED",
        `Link ${link}, attempt ${attempt}, has no keys here, or no longer.`,
        "Start the next attempt of the handshake.",
      );
    }
    return prepared.keys.complete(peerPublicKey, kem);
  }

  /** Deletes the keys of links that are no longer wanted, and after 15 minutes those of unused handshakes. */
  keepOnly(
    isWanted: (link: LinkId, attempt: number) => boolean,
    wasWanted: ReadonlySet<string>,
    nowMillis: number,
  ): void {
    for (const [key, { keys, sinceMillis }] of this.#prepared) {
      if (isWanted(keys.link, keys.attempt)) continue;
      if (wasWanted.has(key) || nowMillis - sinceMillis > FORGOTTEN_AFTER_MILLIS) this.#prepared.delete(key);
    }
  }

  async #prepare(link: LinkId, attempt: number, underlay: Underlay, nowMillis: number): Promise<Prepared> {
    const known = this.get(link, attempt);
    if (known && known.underlay !== underlay.name) {
      throw new EphemeshError(
        "LINK_OTHER_UNDERLAY",
        `Link ${link}, attempt ${attempt}, was prepared on underlay ${known.underlay}, and keeps it.`,
        "Start the next attempt to use another underlay.",
      );
    }
    if (known) return known;
    if (this.#prepared.size >= MAX_PREPARED) {
      throw new EphemeshError(
        "TOO_MANY_LINKS",
        `${MAX_PREPARED} links are prepared; no key was made.`,
        "Remove meshes that are over.",
        { retryable: true },
      );
    }
    const reserved = new Set([...this.#prepared.values()].map((prepared) => prepared.listenPort));
    const listenPort = await unusedPort(underlay, reserved);
    const prepared = { keys: new LinkKeys(link, attempt), underlay: underlay.name, listenPort, sinceMillis: nowMillis };
    this.#prepared.set(keyOf(link, attempt), prepared);
    return prepared;
  }
}
