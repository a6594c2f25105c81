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

export interface Entry {
  readonly signed: SignedLsa;
  /** When it would have age 0 by our clock. */
  readonly bornMillis: number;
  readonly dead: boolean;
}

export interface MeshEdge {
  readonly tag: string;
  readonly a: RegionId;
  readonly b: RegionId;
  readonly rttMicros: number;
  /** Lost of what b sends to a, and of what a sends to b. */
  readonly lossAtAPpm: number;
  readonly lossAtBPpm: number;
  /** What both ends say that it has. */
  readonly attributes: number;
  /** By buyer: the smaller of what both ends grant and saw. */
  readonly kbps: ReadonlyMap<RegionId, number>;
}

export const entryKey = (lsa: Pick<Lsa, "origin" | "fragment">): string => `${lsa.origin}/${lsa.fragment}`;

export class Database {
  readonly #entries = new Map<string, Entry>();
  #edges: readonly MeshEdge[] | null = null;
  readonly #graphs = new Map<string, Graph>();

  get(lsa: Pick<Lsa, "origin" | "fragment">): Entry | undefined {
    return this.#entries.get(entryKey(lsa));
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
      bornMillis: nowMillis - ageMillis,
      dead: ageMillis >= MAX_AGE_MILLIS,
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

  /** A link counts when both ends advertise it; its value is the worse of the two. */
  edges(): readonly MeshEdge[] {
    if (this.#edges) return this.#edges;
    const seen = new Map<string, { origin: RegionId; link: LsaLink }>();
    const edges: MeshEdge[] = [];
    for (const { signed, dead } of this.#entries.values()) {
      if (dead) continue;
      const origin = signed.lsa.origin;
      for (const link of signed.lsa.links) {
        const other = seen.get(`${link.tag}/${link.peer}/${origin}`);
        if (!other) {
          seen.set(`${link.tag}/${origin}/${link.peer}`, { origin, link });
          continue;
        }
        edges.push({
          tag: link.tag,
          a: origin,
          b: link.peer,
          rttMicros: Math.max(link.rttMicros, other.link.rttMicros),
          lossAtAPpm: link.lossPpm,
          lossAtBPpm: other.link.lossPpm,
          attributes: link.attributes & other.link.attributes,
          kbps: sharedRates(link, other.link),
        });
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
    const graph = new Graph(
      this.edges().flatMap((edge) => {
        const kbps = edge.kbps.get(buyer);
        if (kbps === undefined || (edge.attributes & required) !== required) return [];
        const metric: EdgeMetric = {
          rttMicros: edge.rttMicros,
          lossForwardPpm: edge.lossAtAPpm,
          lossReversePpm: edge.lossAtBPpm,
          capacityKbps: kbps,
        };
        const { tag, a, b } = edge;
        return [{ tag, a, b, kbps, costMicros: linkCostMicros(metric, trafficClass) }];
      }),
    );
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
  }
}

const seenKbps = (link: LsaLink): number => (link.observedKbps === 0 ? Number.POSITIVE_INFINITY : link.observedKbps);

function sharedRates(a: LsaLink, b: LsaLink): ReadonlyMap<RegionId, number> {
  const ofA = new Map(a.shares.map((share) => [share.buyer, share.kbps]));
  return new Map(
    b.shares.flatMap(({ buyer, kbps }) => {
      const other = ofA.get(buyer);
      return other === undefined ? [] : [[buyer, Math.min(kbps, other, seenKbps(a), seenKbps(b))] as const];
    }),
  );
}
