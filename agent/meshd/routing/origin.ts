/** Originates this node's advertisements: at once when links or rates change or a metric jumps, else once a second. */
import type { KeyObject } from "node:crypto";
import type { MeshId, RegionId } from "../../model/ids.ts";
import { REFRESH_MILLIS } from "./database.ts";
import { fragments, type LsaLink, type SignedLsa, signLsa } from "./lsa.ts";

/** Between two advertisements that only update drifting metrics. */
const MIN_DRIFT_INTERVAL_MILLIS = 1_000;

export class Origin {
  readonly #meshId: MeshId;
  readonly #self: RegionId;
  readonly #key: KeyObject;
  #incarnation: number;
  #sequence = 0;
  #advertised: readonly LsaLink[] = [];
  #fragments = 0;
  #originatedAt = Number.NEGATIVE_INFINITY;
  #noTransit = false;

  constructor(options: { meshId: MeshId; self: RegionId; key: KeyObject; incarnation: number }) {
    this.#meshId = options.meshId;
    this.#self = options.self;
    this.#key = options.key;
    this.#incarnation = options.incarnation;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** A neighbour holds a newer advertisement of ours, from before a restart: continue after its numbers. */
  advancePast(heard: { readonly incarnation: number; readonly sequence: number }): void {
    if (heard.incarnation > this.#incarnation) {
      this.#incarnation = heard.incarnation + 1;
      this.#sequence = 0;
    } else {
      this.#sequence = Math.max(this.#sequence, heard.sequence);
    }
    this.#originatedAt = Number.NEGATIVE_INFINITY;
  }

  /** From the next advertisement on no path leads through this node. */
  setNoTransit(): void {
    this.#noTransit = true;
    this.#originatedAt = Number.NEGATIVE_INFINITY;
  }

  /** New advertisements, one for each fragment; empty if nothing has to be advertised now. */
  originate(links: readonly LsaLink[], nowMillis: number): readonly SignedLsa[] {
    const age = nowMillis - this.#originatedAt;
    const mustOriginate = age >= REFRESH_MILLIS || hasChanged(this.#advertised, links);
    if (!mustOriginate && !(age >= MIN_DRIFT_INTERVAL_MILLIS && hasDrifted(this.#advertised, links))) return [];
    this.#sequence++;
    this.#advertised = links;
    this.#originatedAt = nowMillis;
    const parts = [...fragments(links)];
    const count = parts.length;
    // Fragments that are no longer needed are advertised empty once more.
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
          noTransit: this.#noTransit,
          links: part,
        },
        this.#key,
      ),
    );
  }
}

/** Different links, rates or attributes, or a metric that changed so much that paths may be wrong. */
function hasChanged(before: readonly LsaLink[], now: readonly LsaLink[]): boolean {
  if (before.length !== now.length) return true;
  return now.some((link, index) => {
    const old = before[index];
    if (!old || old.tag !== link.tag || old.peer !== link.peer || !haveSameShares(old, link)) return true;
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

function haveSameShares(a: LsaLink, b: LsaLink): boolean {
  return (
    a.shares.length === b.shares.length &&
    a.shares.every((share, index) => share.buyer === b.shares[index]?.buyer && share.kbps === b.shares[index]?.kbps)
  );
}
