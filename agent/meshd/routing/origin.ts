/** What this node says of its own links, and when it says it anew: at once when a link comes, goes or breaks; calmly
 * when figures drift. */
import type { KeyObject } from "node:crypto";
import type { MeshId, RegionId } from "../../model/ids.ts";
import { REFRESH_MILLIS } from "./database.ts";
import { fragments, type LsaLink, type SignedLsa, signLsa } from "./lsa.ts";

/** Not more often for drifting figures. */
const CALM_MILLIS = 1_000;

export class Origin {
  readonly #meshId: MeshId;
  readonly #self: RegionId;
  readonly #key: KeyObject;
  #incarnation: number;
  #sequence = 0;
  #said: readonly LsaLink[] = [];
  #fragments = 0;
  #saidAt = Number.NEGATIVE_INFINITY;
  #leaving = false;

  constructor(options: { meshId: MeshId; self: RegionId; key: KeyObject; incarnation: number }) {
    this.#meshId = options.meshId;
    this.#self = options.self;
    this.#key = options.key;
    this.#incarnation = options.incarnation;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** Somebody holds one of ours that is newer than we are: jump past it. */
  jumpPast(heard: { readonly incarnation: number; readonly sequence: number }): void {
    if (heard.incarnation > this.#incarnation) {
      this.#incarnation = heard.incarnation + 1;
      this.#sequence = 0;
    } else {
      this.#sequence = Math.max(this.#sequence, heard.sequence);
    }
    this.#saidAt = Number.NEGATIVE_INFINITY;
  }

  /** From the next advertisement on nobody leads a path through here. */
  leave(): void {
    this.#leaving = true;
    this.#saidAt = Number.NEGATIVE_INFINITY;
  }

  /** New advertisements, if there is a reason for them. */
  say(links: readonly LsaLink[], nowMillis: number): readonly SignedLsa[] {
    const age = nowMillis - this.#saidAt;
    const mustSay = age >= REFRESH_MILLIS || isOtherWorld(this.#said, links);
    if (!mustSay && !(age >= CALM_MILLIS && hasDrifted(this.#said, links))) return [];
    this.#sequence++;
    this.#said = links;
    this.#saidAt = nowMillis;
    const parts = [...fragments(links)];
    const count = parts.length;
    // Fragments that are not needed any more are said empty once more.
    while (parts.length < this.#fragments) parts.push([]);
    this.#fragments = count;
    return parts.map((part, fragment) =>
      signLsa(
        {
          meshId: this.#meshId,
          origin: this.#self,
          fragment,
          incarnation: this.#incarnation,
          sequence: this.#sequence,
          noTransit: this.#leaving,
          links: part,
        },
        this.#key,
      ),
    );
  }
}

/** Another set of links or rates, or figures so far off that paths may be wrong. */
function isOtherWorld(before: readonly LsaLink[], now: readonly LsaLink[]): boolean {
  if (before.length !== now.length) return true;
  return now.some((link, index) => {
    const old = before[index];
    if (!old || old.tag !== link.tag || old.peer !== link.peer || !sameShares(old, link)) return true;
    if (old.attributes !== link.attributes) return true;
    return (
      (link.observedKbps > 0 && link.observedKbps < 0.7 * (old.observedKbps || Number.POSITIVE_INFINITY)) ||
      Math.abs(link.rttMicros - old.rttMicros) > old.rttMicros / 2 + 5_000 ||
      (link.lossPpm > old.lossPpm * 1.5 + 20_000 && link.lossPpm > 50_000)
    );
  });
}

function hasDrifted(before: readonly LsaLink[], now: readonly LsaLink[]): boolean {
  return now.some((link, index) => {
    const old = before[index];
    if (!old) return true;
    return (
      Math.abs(link.observedKbps - old.observedKbps) > 0.15 * Math.max(link.observedKbps, old.observedKbps) ||
      Math.abs(link.rttMicros - old.rttMicros) > old.rttMicros * 0.15 + 1_000 ||
      Math.abs(link.lossPpm - old.lossPpm) > Math.max(20_000, old.lossPpm / 2)
    );
  });
}

function sameShares(a: LsaLink, b: LsaLink): boolean {
  return (
    a.shares.length === b.shares.length &&
    a.shares.every((share, index) => share.buyer === b.shares[index]?.buyer && share.kbps === b.shares[index]?.kbps)
  );
}
