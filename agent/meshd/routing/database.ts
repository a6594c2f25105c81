/**
 * The link-state database of one mesh: the newest advertisement for each origin and fragment, and tombstones of expired
 * ones, so that a healed partition does not bring them back.
 */
import type { RegionId } from "../../model/ids.ts";
import type { TrafficClass } from "../../model/traffic-class.ts";
import { type EdgeMetric, linkCostMicros } from "./cost.ts";
import { isNewer, type Lsa, type LsaLink, type SignedLsa } from "./lsa.ts";
import { Graph } from "./shortest.ts";

export const MAX_AGE_MILLIS = 90_000;
export const REFRESH_MILLIS = 30_000;
/**
 * Ages are not signed: a neighbour that claims a high age could expire an origin's advertisement early. So the accepted
 * age leaves enough time for the next refresh to arrive.
 */
const MAX_ACCEPTED_AGE_MILLIS = MAX_AGE_MILLIS - 1.5 * REFRESH_MILLIS;

export interface Entry {
  readonly signed: SignedLsa;
  /** Time of origination by this node's clock. */
  readonly bornMillis: number;
  readonly dead: boolean;
}

/** A link that both ends advertise. */
export interface MeshEdge {
  readonly tag: string;
  readonly a: RegionId;
  readonly b: RegionId;
  readonly ofA: LsaLink;
  readonly ofB: LsaLink;
}

/** One entry for each fragment of each origin. */
export const entryKey = (lsa: Pick<Lsa, "origin" | "fragment">): string => `${lsa.origin}/${lsa.fragment}`;

export class Database {
  readonly #entries = new Map<string, Entry>();
  #edges: readonly MeshEdge[] | null = null;
  readonly #graphs = new Map<string, Graph>();
  readonly #shapes = new Map<string, Graph>();

  get(lsa: Pick<Lsa, "origin" | "fragment">): Entry | undefined {
    return this.#entries.get(entryKey(lsa));
  }

  /** By the key that `entryKey` returns. */
  find(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** Returns whether it was newer than the stored one, and replaced it. */
  store(signed: SignedLsa, ageMillis: number, nowMillis: number): boolean {
    const known = this.get(signed.lsa);
    if (known && !isNewer(signed.lsa, known.signed.lsa)) return false;
    this.#entries.set(entryKey(signed.lsa), {
      signed,
      bornMillis: nowMillis - Math.min(ageMillis, MAX_ACCEPTED_AGE_MILLIS),
      dead: false,
    });
    this.#clearCaches();
    return true;
  }

  /** Turns what is too old into tombstones, and returns it. */
  expire(nowMillis: number): readonly Entry[] {
    const died: Entry[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.dead || nowMillis - entry.bornMillis < MAX_AGE_MILLIS) continue;
      this.#entries.set(key, { ...entry, dead: true });
      died.push(entry);
    }
    if (died.length > 0) this.#clearCaches();
    return died;
  }

  /** Deletes everything, tombstones too, of regions that are no longer participants. */
  retain(participants: ReadonlySet<RegionId>): void {
    for (const [key, entry] of this.#entries) {
      if (!participants.has(entry.signed.lsa.origin)) this.#entries.delete(key);
    }
    this.#clearCaches();
  }

  /** A link is used only if both ends advertise it. */
  edges(): readonly MeshEdge[] {
    if (this.#edges) return this.#edges;
    // Several origins may claim a tag: the two ends of a link are those that name each other as peer.
    const seen = new Map<string, { readonly origin: RegionId; readonly link: LsaLink }[]>();
    const edges: MeshEdge[] = [];
    for (const { signed, dead } of this.#entries.values()) {
      if (dead) continue;
      const { origin, links } = signed.lsa;
      for (const link of links) {
        const claims = seen.get(link.tag);
        const other = claims?.find((claim) => claim.origin === link.peer && claim.link.peer === origin);
        if (other) edges.push({ tag: link.tag, a: other.origin, b: origin, ofA: other.link, ofB: link });
        else if (claims) claims.push({ origin, link });
        else seen.set(link.tag, [{ origin, link }]);
      }
    }
    this.#edges = edges;
    return edges;
  }

  /** The links that one buyer's traffic class may use, with its costs; those without a required attribute are left out. */
  graph(buyer: RegionId, trafficClass: TrafficClass, required: number): Graph {
    const key = `${buyer}/${trafficClass}/${required}`;
    const known = this.#graphs.get(key);
    if (known) return known;
    // The class changes costs only, not which links there are.
    const like = `${buyer}/${required}`;
    const graph = new Graph(
      this.edges().flatMap(({ tag, a, b, ofA, ofB }) => {
        const kbps = Math.min(kbpsFor(buyer, ofA), kbpsFor(buyer, ofB));
        if (kbps === 0 || (ofA.attributes & ofB.attributes & required) !== required) return [];
        const metric: EdgeMetric = {
          rttMicros: Math.max(ofA.rttMicros, ofB.rttMicros),
          lossForwardPpm: ofA.lossPpm,
          lossReversePpm: ofB.lossPpm,
          capacityKbps: kbps,
        };
        return [{ tag, a, b, kbps, costMicros: linkCostMicros(metric, trafficClass) }];
      }),
      this.#shapes.get(like),
    );
    this.#shapes.set(like, graph);
    this.#graphs.set(key, graph);
    return graph;
  }

  /** Regions that advertise *no transit*. */
  noTransitRegions(): ReadonlySet<RegionId> {
    const noTransit = [...this.#entries.values()].filter(({ signed, dead }) => signed.lsa.noTransit && !dead);
    return new Set(noTransit.map(({ signed }) => signed.lsa.origin));
  }

  #clearCaches(): void {
    this.#edges = null;
    this.#graphs.clear();
    this.#shapes.clear();
  }
}

/** The smaller of the buyer's share at one end and the capacity observed there; 0: no share. */
function kbpsFor(buyer: RegionId, { shares, observedKbps }: LsaLink): number {
  const ceiling = shares.find((share) => share.buyer === buyer)?.kbps ?? 0;
  return observedKbps === 0 ? ceiling : Math.min(ceiling, observedKbps);
}
