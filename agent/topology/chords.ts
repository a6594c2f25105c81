/**
 * Chords that give the links of a buyer's ring loop-free alternates (RFC 5286, inequality 1): when link s→e fails, s may
 * turn to a neighbour n with D(n,e) < D(n,s) + D(s,e), which then reaches every destination behind e. Distances are
 * round trips; loss and capacity, which the routing metric counts too, are not known when links are planned. Pure.
 *
 * A link is *coverable* if it has an alternate when every candidate is added. A chord that completes such an alternate
 * covers its link for good: D(n,e) is then as short as it can get, and no chord makes the right side shorter than that.
 */

/** By node number: node 0 is the buyer, the others are its sellers in the order of their region ids. */
export type NodePair = readonly [number, number];

export interface ChordRequest {
  readonly nodes: number;
  /** Links that exist in any case. */
  readonly links: readonly NodePair[];
  /** Pairs that may be linked too. */
  readonly candidates: readonly NodePair[];
  readonly maxChords: number;
  /** In µs, positive, the same both ways. */
  readonly roundTrip: RoundTrip;
}

export interface Chords {
  readonly added: readonly NodePair[];
  /** Links without an alternate in at least one direction. */
  readonly uncovered: number;
  /** Those of them that more chords than `maxChords` would cover. */
  readonly coverable: number;
}

type RoundTrip = (a: number, b: number) => number;

/** Adds chords one by one until every link has an alternate, no chord helps, or there are `maxChords`. */
export function planChords({ nodes, links, candidates, maxChords, roundTrip }: ChordRequest): Chords {
  const full = new Graph(nodes, [...links, ...candidates], roundTrip);
  const graph = new Graph(nodes, links, roundTrip);
  const added: NodePair[] = [];
  for (;;) {
    const uncovered = graph.directions().filter(([s, e]) => !graph.hasAlternate(s, e));
    const missing = uncovered.map(([s, e]) => missingForAlternates(full, graph, s, e));
    const next = added.length < maxChords ? bestChord(missing, roundTrip) : null;
    if (!next) {
      const coverable = uncovered.filter((_, i) => missing[i]!.length > 0);
      return { added, uncovered: countLinks(uncovered), coverable: countLinks(coverable) };
    }
    graph.add(next, roundTrip(...next));
    added.push(next);
  }
}

/** For each alternate of s→e in the full graph: the links on the shortest path by it that `graph` lacks. */
function missingForAlternates(full: Graph, graph: Graph, s: number, e: number): (readonly NodePair[])[] {
  return full.neighbours(s).flatMap((n) => {
    if (n === e || !full.isLoopFree(n, s, e)) return [];
    const path = [s, ...full.path(n, e)];
    const hops = path.slice(1).map((node, i) => ordered(path[i]!, node));
    return [hops.filter((hop) => !graph.has(hop))];
  });
}

/**
 * The chord that completes an alternate for the most directions; of several the shortest, then that of the lower
 * regions. Where no single chord completes an alternate: one of those that lack the fewest.
 */
function bestChord(missing: readonly (readonly (readonly NodePair[])[])[], roundTrip: RoundTrip): NodePair | null {
  const fewest = missing.flat().reduce((least, { length }) => Math.min(least, length), Number.POSITIVE_INFINITY);
  const found = new Map<string, { readonly chord: NodePair; covers: number }>();
  for (const alternates of missing) {
    const chords = alternates.filter(({ length }) => length === fewest).flat();
    for (const [key, chord] of new Map(chords.map((pair) => [pair.join(), pair])))
      found.set(key, { chord, covers: (found.get(key)?.covers ?? 0) + 1 });
  }
  const order = (a: NodePair, b: NodePair) => roundTrip(...a) - roundTrip(...b) || a[0] - b[0] || a[1] - b[1];
  const best = [...found.values()].sort((a, b) => b.covers - a.covers || order(a.chord, b.chord))[0];
  return best?.chord ?? null;
}

function countLinks(directions: readonly NodePair[]): number {
  return new Set(directions.map(([s, e]) => ordered(s, e).join())).size;
}

function ordered(a: number, b: number): NodePair {
  return a < b ? [a, b] : [b, a];
}

/** Undirected, with all shortest paths (Floyd and Warshall). */
class Graph {
  readonly #nodes: number;
  readonly #distances: Float64Array;
  /** First hop of a shortest path. */
  readonly #next: Int32Array;
  readonly #neighbours: readonly Set<number>[];

  constructor(nodes: number, links: readonly NodePair[], length: RoundTrip) {
    this.#nodes = nodes;
    this.#distances = new Float64Array(nodes * nodes).fill(Number.POSITIVE_INFINITY);
    this.#next = new Int32Array(nodes * nodes).fill(-1);
    this.#neighbours = Array.from({ length: nodes }, () => new Set<number>());
    for (let node = 0; node < nodes; node++) this.#distances[node * nodes + node] = 0;
    for (const pair of links) this.#connect(pair, length(...pair));
    for (let via = 0; via < nodes; via++) for (let from = 0; from < nodes; from++) this.#shorten(from, via, 0, via);
  }

  /** Adds a link and updates the distances that it shortens. */
  add([a, b]: NodePair, length: number): void {
    this.#connect([a, b], length);
    for (let from = 0; from < this.#nodes; from++) {
      this.#shorten(from, a, length, b);
      this.#shorten(from, b, length, a);
    }
  }

  has([a, b]: NodePair): boolean {
    return this.#neighbours[a]!.has(b);
  }

  neighbours(node: number): readonly number[] {
    return [...this.#neighbours[node]!];
  }

  directions(): NodePair[] {
    return this.#neighbours.flatMap((ends, s) => [...ends].map((e): NodePair => [s, e]));
  }

  hasAlternate(s: number, e: number): boolean {
    for (const n of this.#neighbours[s]!) if (n !== e && this.isLoopFree(n, s, e)) return true;
    return false;
  }

  isLoopFree(n: number, s: number, e: number): boolean {
    return this.#distance(n, e) < this.#distance(n, s) + this.#distance(s, e);
  }

  path(from: number, to: number): number[] {
    const path = [from];
    for (let at = from; at !== to; path.push(at)) at = this.#next[at * this.#nodes + to]!;
    return path;
  }

  #connect([a, b]: NodePair, length: number): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      this.#neighbours[one]!.add(other);
      if (length >= this.#distance(one, other)) continue;
      this.#distances[one * this.#nodes + other] = length;
      this.#next[one * this.#nodes + other] = other;
    }
  }

  /** The distances from a node, by a path to `near`, over a link of this length to `far`, and on from there. */
  #shorten(from: number, near: number, length: number, far: number): void {
    const [row, onward] = [from * this.#nodes, far * this.#nodes];
    const toFar = this.#distances[row + near]! + length;
    const hop = from === near ? far : this.#next[row + near]!;
    for (let to = 0; to < this.#nodes; to++) {
      const distance = toFar + this.#distances[onward + to]!;
      if (distance >= this.#distances[row + to]!) continue;
      this.#distances[row + to] = distance;
      this.#next[row + to] = hop;
    }
  }

  #distance(a: number, b: number): number {
    return this.#distances[a * this.#nodes + b]!;
  }
}
