/** Dijkstra from one node, over edges that one buyer may use, through nodes that one buyer pays. */
import type { RegionId } from "../../model/ids.ts";

export interface Edge {
  readonly tag: string;
  readonly to: RegionId;
  readonly costMicros: number;
}

export type Graph = ReadonlyMap<RegionId, readonly Edge[]>;

export interface Tree {
  readonly costMicros: ReadonlyMap<RegionId, number>;
  readonly before: ReadonlyMap<RegionId, RegionId>;
}

/** `mayCross` says through whom paths may lead; the source may be anybody, and so may a path's last node. */
export function shortestPaths(graph: Graph, source: RegionId, mayCross: ReadonlySet<RegionId>): Tree {
  const costMicros = new Map<RegionId, number>([[source, 0]]);
  const before = new Map<RegionId, RegionId>();
  const done = new Set<RegionId>();
  const queue = new Heap();
  queue.push(0, source);
  for (let next = queue.pop(); next !== null; next = queue.pop()) {
    const { node, cost } = next;
    if (done.has(node)) continue;
    done.add(node);
    if (node !== source && !mayCross.has(node)) continue;
    for (const edge of graph.get(node) ?? []) {
      const through = cost + edge.costMicros;
      const known = costMicros.get(edge.to);
      // Equal costs: the lower region id, so that every node draws the same tree.
      if (known === undefined || through < known) {
        costMicros.set(edge.to, through);
        before.set(edge.to, node);
        queue.push(through, edge.to);
      } else if (through === known && node < (before.get(edge.to) ?? Number.POSITIVE_INFINITY)) {
        before.set(edge.to, node);
      }
    }
  }
  return { costMicros, before };
}

/** From the tree's source to `destination`, both included; empty where there is no way. */
export function pathTo(tree: Tree, source: RegionId, destination: RegionId): readonly RegionId[] {
  if (!tree.costMicros.has(destination)) return [];
  const path = [destination];
  for (let node = destination; node !== source; ) {
    const previous = tree.before.get(node);
    if (previous === undefined) return [];
    path.push(previous);
    node = previous;
  }
  return path.reverse();
}

interface Entry {
  readonly cost: number;
  readonly node: RegionId;
}

/** A binary heap: least cost first, then least region. */
class Heap {
  readonly #entries: Entry[] = [];

  push(cost: number, node: RegionId): void {
    const entries = this.#entries;
    let at = entries.push({ cost, node }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!less(entries[at], entries[parent])) break;
      swap(entries, at, parent);
      at = parent;
    }
  }

  pop(): Entry | null {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries.pop();
    if (top === undefined || last === undefined) return null;
    if (entries.length > 0) {
      entries[0] = last;
      for (let at = 0; ; ) {
        const left = 2 * at + 1;
        const child = less(entries[left + 1], entries[left]) ? left + 1 : left;
        if (!less(entries[child], entries[at])) break;
        swap(entries, at, child);
        at = child;
      }
    }
    return top;
  }
}

function less(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.cost !== b.cost ? a.cost < b.cost : a.node < b.node;
}

function swap(entries: Entry[], a: number, b: number): void {
  const kept = entries[a];
  const other = entries[b];
  if (kept === undefined || other === undefined) return;
  entries[a] = other;
  entries[b] = kept;
}
