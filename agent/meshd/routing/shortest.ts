/**
 * Dijkstra from one node, over edges that one buyer may use, through nodes that one buyer pays. Nodes are numbered in
 * the order of their region ids and costs stand in flat arrays, because every change of the world asks for one tree per
 * neighbour and class.
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

/** Undirected; several edges between the same two nodes are several edges. */
export class Graph {
  readonly regions: readonly RegionId[];
  readonly edges: readonly GraphEdge[];
  readonly #indices: ReadonlyMap<RegionId, number>;
  /** Of node i: `#out[#first[i]]` up to `#out[#first[i + 1]]`, numbers of edges. */
  readonly #first: Int32Array;
  readonly #out: Int32Array;
  readonly #ends: Int32Array;
  readonly #costs: Float64Array;
  readonly #kbps: Float64Array;

  constructor(edges: readonly GraphEdge[]) {
    this.edges = edges;
    this.regions = [...new Set(edges.flatMap(({ a, b }) => [a, b]))].sort((a, b) => a - b);
    this.#indices = new Map(this.regions.map((region, index) => [region, index]));
    this.#ends = new Int32Array(2 * edges.length);
    this.#costs = new Float64Array(edges.length);
    this.#kbps = new Float64Array(edges.length);
    this.#first = new Int32Array(this.regions.length + 1);
    this.#out = new Int32Array(2 * edges.length);
    edges.forEach((edge, number) => {
      const a = this.#indices.get(edge.a) ?? 0;
      const b = this.#indices.get(edge.b) ?? 0;
      this.#ends[2 * number] = a;
      this.#ends[2 * number + 1] = b;
      this.#costs[number] = edge.costMicros;
      this.#kbps[number] = edge.kbps;
      this.#first[a + 1] = at(this.#first, a + 1) + 1;
      this.#first[b + 1] = at(this.#first, b + 1) + 1;
    });
    for (let node = 0; node < this.regions.length; node++) {
      this.#first[node + 1] = at(this.#first, node + 1) + at(this.#first, node);
    }
    const filled = this.#first.slice();
    for (let end = 0; end < this.#ends.length; end++) {
      const node = at(this.#ends, end);
      const place = at(filled, node);
      filled[node] = place + 1;
      this.#out[place] = end >> 1;
    }
  }

  edgesOf(region: RegionId): readonly Edge[] {
    const node = this.#indices.get(region);
    if (node === undefined) return [];
    return [...this.#out.subarray(this.#first[node], this.#first[node + 1])].flatMap((number) => {
      const edge = this.edges[number];
      return edge ? [{ ...edge, to: edge.a === region ? edge.b : edge.a }] : [];
    });
  }

  /** `mayCross` says through whom paths may lead; the source may be anybody, and so may a path's last node. */
  shortestPaths(source: RegionId, mayCross: (region: RegionId) => boolean): Tree {
    const count = this.regions.length;
    const costs = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
    const widths = new Float64Array(count);
    const before = new Int32Array(count).fill(-1);
    const done = new Uint8Array(count);
    const tree = new Tree(source, this.regions, this.#indices, costs, widths, before);
    const start = this.#indices.get(source);
    if (start === undefined) return tree;
    costs[start] = 0;
    widths[start] = Number.POSITIVE_INFINITY;
    const queue = new Heap();
    queue.push(0, start);
    const [first, out, ends, edgeCosts, kbps] = [this.#first, this.#out, this.#ends, this.#costs, this.#kbps];
    for (let node = queue.pop(); node >= 0; node = queue.pop()) {
      if (done[node] === 1) continue;
      done[node] = 1;
      if (node !== start && !mayCross(this.regions[node] ?? source)) continue;
      const cost = at(costs, node);
      const end = at(first, node + 1);
      for (let place = at(first, node); place < end; place++) {
        const edge = at(out, place);
        const to = at(ends, 2 * edge) + at(ends, 2 * edge + 1) - node;
        if (done[to] === 1) continue;
        const through = cost + at(edgeCosts, edge);
        const known = at(costs, to);
        // Equal costs: the lower region id, so that every node draws the same tree.
        if (through < known || (through === known && node < at(before, to))) {
          costs[to] = through;
          before[to] = node;
          widths[to] = Math.min(at(widths, node), at(kbps, edge));
          if (through < known) queue.push(through, to);
        }
      }
    }
    return tree;
  }
}

/** The cheapest ways from one node to all others. */
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

  /** Infinity where there is no way. */
  costTo(region: RegionId): number {
    if (region === this.source) return 0;
    const node = this.#indices.get(region);
    return node === undefined ? Number.POSITIVE_INFINITY : at(this.#costs, node);
  }

  /** Capacity of the narrowest link on the way, in kbit/s. */
  kbpsTo(region: RegionId): number {
    if (region === this.source) return Number.POSITIVE_INFINITY;
    const node = this.#indices.get(region);
    return node === undefined ? 0 : at(this.#widths, node);
  }

  /** From the source to `region`, both included; empty where there is no way. */
  pathTo(region: RegionId): readonly RegionId[] {
    if (region === this.source) return [region];
    const path: RegionId[] = [];
    let node = this.#indices.get(region) ?? -1;
    if (node < 0 || !Number.isFinite(at(this.#costs, node))) return [];
    for (; node >= 0; node = at(this.#before, node)) path.push(this.#regions[node] ?? region);
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
      if (!isBefore(cost, node, at(costs, parent), at(nodes, parent))) break;
      costs[place] = at(costs, parent);
      nodes[place] = at(nodes, parent);
      place = parent;
    }
    costs[place] = cost;
    nodes[place] = node;
  }

  /** −1: it is empty. */
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
      if (right < size && isBefore(at(costs, right), at(nodes, right), at(costs, child), at(nodes, child)))
        child = right;
      if (isBefore(cost, node, at(costs, child), at(nodes, child))) break;
      costs[place] = at(costs, child);
      nodes[place] = at(nodes, child);
      place = child;
    }
    costs[place] = cost;
    nodes[place] = node;
    return top;
  }
}

const isBefore = (cost: number, node: number, otherCost: number, other: number): boolean =>
  cost !== otherCost ? cost < otherCost : node < other;

/** Every place asked for is within; the zero is for the compiler. */
const at = (list: { readonly [place: number]: number }, place: number): number => list[place] ?? 0;
