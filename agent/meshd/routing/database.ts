/**
 * The link-state database of one mesh: the newest advertisement of every origin's every fragment, and tombstones of
 * those that died, so that a healed partition does not raise the dead.
 */
import type { RegionId } from "../../model/ids.ts";
import type { TrafficClass } from "../../model/traffic-class.ts";
import { type EdgeMetric, linkCostMicros } from "./cost.ts";
import { isNewer, type Lsa, type LsaLink, type SignedLsa } from "./lsa.ts";
import { Graph } from "./shortest.ts";

export const MAX_AGE_MILLIS = 90_000;
export const REFRESH_MILLIS = 30_000;
/**
 * Ages are not signed: whoever is first to say a great one would silence an origin. So nobody's word makes an
 * advertisement older than leaves time for the next one to come.
 */
const OLDEST_BELIEVED_MILLIS = MAX_AGE_MILLIS - 1.5 * REFRESH_MILLIS;

export interface Entry {
  readonly signed: SignedLsa;
  /** When it would have age 0 by our clock. */
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

export const entryKey = (lsa: Pick<Lsa, "origin" | "fragment">): string => `${lsa.origin}/${lsa.fragment}`;

export class Database {
  readonly #entries = new Map<string, Entry>();
  #edges: readonly MeshEdge[] | null = null;
  readonly #graphs = new Map<string, Graph>();
  readonly #shapes = new Map<string, Graph>();

  get(lsa: Pick<Lsa, "origin" | "fragment">): Entry | undefined {
    return this.#entries.get(entryKey(lsa));
  }

  /** By what `entryKey` says. */
  find(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** Whether it says anything new; an older one changes nothing. */
  store(signed: SignedLsa, ageMillis: number, nowMillis: number): boolean {
    const known = this.get(signed.lsa);
    if (known && !isNewer(signed.lsa, known.signed.lsa)) return false;
    this.#entries.set(entryKey(signed.lsa), {
      signed,
      bornMillis: nowMillis - Math.min(ageMillis, OLDEST_BELIEVED_MILLIS),
      dead: false,
    });
    this.#changed();
    return true;
  }

  /** Buries what is too old; whether anything was. */
  expire(nowMillis: number): readonly Entry[] {
    const died: Entry[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.dead || nowMillis - entry.bornMillis < MAX_AGE_MILLIS) continue;
      this.#entries.set(key, { ...entry, dead: true });
      died.push(entry);
    }
    if (died.length > 0) this.#changed();
    return died;
  }

  /** Regions that are no longer participants are forgotten whole. */
  retain(participants: ReadonlySet<RegionId>): void {
    for (const [key, entry] of this.#entries) {
      if (!participants.has(entry.signed.lsa.origin)) this.#entries.delete(key);
    }
    this.#changed();
  }

  /** A link counts when both ends advertise it; each of its figures is the worse of the two. */
  edges(): readonly MeshEdge[] {
    if (this.#edges) return this.#edges;
    // More than one may claim a tag: only those that name each other are the two ends of a link.
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

  /** What one buyer's class of traffic may use, at its cost: links that lack what is required are not there. */
  graph(buyer: RegionId, trafficClass: TrafficClass, required: number): Graph {
    const key = `${buyer}/${trafficClass}/${required}`;
    const known = this.#graphs.get(key);
    if (known) return known;
    // Which links there are does not depend on the class, only what they cost.
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

  /** Regions that said *no transit*. */
  leaving(): ReadonlySet<RegionId> {
    const leaving = [...this.#entries.values()].filter(({ signed, dead }) => signed.lsa.noTransit && !dead);
    return new Set(leaving.map(({ signed }) => signed.lsa.origin));
  }

  #changed(): void {
    this.#edges = null;
    this.#graphs.clear();
    this.#shapes.clear();
  }
}

/** The smaller of what one end grants the buyer and what it saw the link carry; 0: nothing. */
function kbpsFor(buyer: RegionId, { shares, observedKbps }: LsaLink): number {
  const ceiling = shares.find((share) => share.buyer === buyer)?.kbps ?? 0;
  return observedKbps === 0 ? ceiling : Math.min(ceiling, observedKbps);
}
