/**
 * Dijkstra from one node, over the edges that one buyer may use, through the nodes that it pays. Nodes are numbered by
 * region id and costs are in flat arrays, because every change needs one tree per neighbour and class.
 */
import type { RegionId } from "../../model/ids.ts";

export interface GraphEdge {
  readonly tag: string;
  readonly a: RegionId;
  readonly b: RegionId;
  readonly costMicros: number;
  readonly kbps: number;
}

/** An edge as one of its ends sees it. */
export interface Edge {
  readonly tag: string;
  readonly to: RegionId;
  readonly costMicros: number;
  readonly kbps: number;
}

/** Undirected; two nodes may have several edges. */
export class Graph {
  readonly edges: readonly GraphEdge[];
  readonly #shape: Shape;
  readonly #costs: Float64Array;
  readonly #kbps: Float64Array;

  /** `like`: a graph with the same edges in the same order at other costs, whose shape is reused. */
  constructor(edges: readonly GraphEdge[], like?: Graph) {
    this.edges = edges;
    this.#shape = like ? like.#shape : shapeOf(edges);
    this.#costs = Float64Array.from(edges, ({ costMicros }) => costMicros);
    this.#kbps = Float64Array.from(edges, ({ kbps }) => kbps);
  }

  edgesOf(region: RegionId): readonly Edge[] {
    const { indices, first, out } = this.#shape;
    const node = indices.get(region);
    if (node === undefined) return [];
    return [...out.subarray(first[node], first[node + 1])].flatMap((number) => {
      const edge = this.edges[number];
      return edge ? [{ ...edge, to: edge.a === region ? edge.b : edge.a }] : [];
    });
  }

  /** `mayCross`: regions that paths may lead through; the source and the destination may be any region. */
  shortestPaths(source: RegionId, mayCross: ReadonlySet<RegionId>): Tree {
    const { regions, indices, first, out, ends } = this.#shape;
    const count = regions.length;
    const costs = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
    const widths = new Float64Array(count);
    const before = new Int32Array(count).fill(-1);
    const done = new Uint8Array(count);
    const tree = new Tree(source, regions, indices, costs, widths, before);
    const start = indices.get(source);
    if (start === undefined) return tree;
    costs[start] = 0;
    widths[start] = Number.POSITIVE_INFINITY;
    const queue = new Heap();
    queue.push(0, start);
    const [edgeCosts, kbps] = [this.#costs, this.#kbps];
    for (let node = queue.pop(); node >= 0; node = queue.pop()) {
      if (done[node] === 1) continue;
      done[node] = 1;
      if (node !== start && !mayCross.has(regions[node] ?? source)) continue;
      const cost = costs[node]!;
      const end = first[node + 1]!;
      for (let place: number = first[node]!; place < end; place++) {
        const edge: number = out[place]!;
        const to = ends[2 * edge]! + ends[2 * edge + 1]! - node;
        if (done[to] === 1) continue;
        const through = cost + edgeCosts[edge]!;
        const known = costs[to]!;
        // Ties go to the lower region id, so that every node computes the same tree.
        if (through < known || (through === known && node < before[to]!)) {
          costs[to] = through;
          before[to] = node;
          widths[to] = Math.min(widths[node]!, kbps[edge]!);
          if (through < known) queue.push(through, to);
        }
      }
    }
    return tree;
  }
}

/** Of node i: the edges numbered `out[first[i]]` up to `out[first[i + 1]]`; edge k ends at `ends[2k]` and `ends[2k + 1]`. */
interface Shape {
  readonly regions: readonly RegionId[];
  readonly indices: ReadonlyMap<RegionId, number>;
  readonly first: Int32Array;
  readonly out: Int32Array;
  readonly ends: Int32Array;
}

function shapeOf(edges: readonly GraphEdge[]): Shape {
  const regions = [...new Set(edges.flatMap(({ a, b }) => [a, b]))].sort((a, b) => a - b);
  const indices = new Map(regions.map((region, index) => [region, index]));
  const ends = Int32Array.from(edges.flatMap(({ a, b }) => [indices.get(a) ?? 0, indices.get(b) ?? 0]));
  const first = new Int32Array(regions.length + 1);
  for (const node of ends) first[node + 1] = first[node + 1]! + 1;
  for (let node = 0; node < regions.length; node++) first[node + 1] = first[node + 1]! + first[node]!;
  const out = new Int32Array(ends.length);
  const filled = first.slice();
  ends.forEach((node, end) => {
    const place = filled[node]!;
    filled[node] = place + 1;
    out[place] = end >> 1;
  });
  return { regions, indices, first, out, ends };
}

/** The cheapest paths from one node to all others. */
export class Tree {
  readonly source: RegionId;
  readonly #regions: readonly RegionId[];
  readonly #indices: ReadonlyMap<RegionId, number>;
  readonly #costs: Float64Array;
  readonly #widths: Float64Array;
  readonly #before: Int32Array;

  constructor(
    source: RegionId,
    regions: readonly RegionId[],
    indices: ReadonlyMap<RegionId, number>,
    costs: Float64Array,
    widths: Float64Array,
    before: Int32Array,
  ) {
    this.source = source;
    this.#regions = regions;
    this.#indices = indices;
    this.#costs = costs;
    this.#widths = widths;
    this.#before = before;
  }

  /** In microseconds; infinity: no path. */
  costTo(region: RegionId): number {
    if (region === this.source) return 0;
    const node = this.#indices.get(region);
    return node === undefined ? Number.POSITIVE_INFINITY : this.#costs[node]!;
  }

  /** Capacity of the narrowest link on the path, in kbit/s; 0: no path. */
  kbpsTo(region: RegionId): number {
    if (region === this.source) return Number.POSITIVE_INFINITY;
    const node = this.#indices.get(region);
    return node === undefined ? 0 : this.#widths[node]!;
  }

  /** From the source to `region`, both included; empty: no path. */
  pathTo(region: RegionId): readonly RegionId[] {
    if (region === this.source) return [region];
    const path: RegionId[] = [];
    let node = this.#indices.get(region) ?? -1;
    if (node < 0 || !Number.isFinite(this.#costs[node]!)) return [];
    for (; node >= 0; node = this.#before[node]!) path.push(this.#regions[node] ?? region);
    return path.reverse();
  }
}

/** A binary heap of nodes: least cost first, then least number. */
class Heap {
  readonly #costs: number[] = [];
  readonly #nodes: number[] = [];

  push(cost: number, node: number): void {
    const [costs, nodes] = [this.#costs, this.#nodes];
    let place = nodes.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(cost, node, costs[parent]!, nodes[parent]!)) break;
      costs[place] = costs[parent]!;
      nodes[place] = nodes[parent]!;
      place = parent;
    }
    costs[place] = cost;
    nodes[place] = node;
  }

  /** −1: the heap is empty. */
  pop(): number {
    const [costs, nodes] = [this.#costs, this.#nodes];
    const top = nodes[0];
    const cost = costs.pop();
    const node = nodes.pop();
    if (top === undefined || cost === undefined || node === undefined) return -1;
    const size = nodes.length;
    if (size === 0) return top;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && isBefore(costs[right]!, nodes[right]!, costs[child]!, nodes[child]!)) child = right;
      if (isBefore(cost, node, costs[child]!, nodes[child]!)) break;
      costs[place] = costs[child]!;
      nodes[place] = nodes[child]!;
      place = child;
    }
    costs[place] = cost;
    nodes[place] = node;
    return top;
  }
}

const isBefore = (cost: number, node: number, otherCost: number, other: number): boolean =>
  cost !== otherCost ? cost < otherCost : node < other;
