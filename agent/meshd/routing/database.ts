/**
 * The link-state database of one mesh: the newest advertisement of every origin's every fragment, and tombstones of
 * those that died, so that a healed partition does not raise the dead.
 */
import type { RegionId } from "../../model/ids.ts";
import type { TrafficClass } from "../marks.ts";
import { type EdgeMetric, linkCostMicros } from "./cost.ts";
import { isNewer, type Lsa, type LsaLink, type SignedLsa } from "./lsa.ts";
import type { Edge, Graph } from "./shortest.ts";

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
  readonly kbps: ReadonlyMap<RegionId, number>;
}

export const entryKey = (lsa: Pick<Lsa, "origin" | "fragment">): string => `${lsa.origin}/${lsa.fragment}`;

export class Database {
  readonly #entries = new Map<string, Entry>();
  #edges: readonly MeshEdge[] | null = null;

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
    this.#edges = null;
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
    if (died.length > 0) this.#edges = null;
    return died;
  }

  /** Regions that are no longer participants are forgotten whole. */
  retain(participants: ReadonlySet<RegionId>): void {
    for (const [key, entry] of this.#entries) {
      if (!participants.has(entry.signed.lsa.origin)) this.#entries.delete(key);
    }
    this.#edges = null;
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
          kbps: sharedRates(link, other.link),
        });
      }
    }
    this.#edges = edges;
    return edges;
  }

  /** What one buyer's class of traffic may use, at its cost. */
  graph(buyer: RegionId, trafficClass: TrafficClass): Graph {
    const graph = new Map<RegionId, Edge[]>();
    for (const edge of this.edges()) {
      const capacityKbps = edge.kbps.get(buyer);
      if (capacityKbps === undefined) continue;
      const metric: EdgeMetric = {
        rttMicros: edge.rttMicros,
        lossForwardPpm: edge.lossAtAPpm,
        lossReversePpm: edge.lossAtBPpm,
        capacityKbps,
      };
      const costMicros = linkCostMicros(metric, trafficClass);
      append(graph, edge.a, { tag: edge.tag, to: edge.b, costMicros });
      append(graph, edge.b, { tag: edge.tag, to: edge.a, costMicros });
    }
    return graph;
  }
}

function sharedRates(a: LsaLink, b: LsaLink): ReadonlyMap<RegionId, number> {
  const ofA = new Map(a.shares.map((share) => [share.buyer, share.kbps]));
  return new Map(
    b.shares.flatMap(({ buyer, kbps }) => {
      const other = ofA.get(buyer);
      return other === undefined ? [] : [[buyer, Math.min(kbps, other)] as const];
    }),
  );
}

function append(graph: Map<RegionId, Edge[]>, from: RegionId, edge: Edge): void {
  const edges = graph.get(from);
  if (edges) edges.push(edge);
  else graph.set(from, [edge]);
}
