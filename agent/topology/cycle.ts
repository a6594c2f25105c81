/** The shortest closed tour over `count` points: exact up to 10 (Held and Karp), above by nearest neighbour and 2-opt. */
export function shortestCycle(count: number, cost: (i: number, j: number) => number): number[] {
  if (count <= 3) return Array.from({ length: count }, (_, i) => i);
  return count <= 10 ? exact(count, cost) : twoOpt(nearestNeighbour(count, cost), cost);
}

function exact(count: number, cost: (i: number, j: number) => number): number[] {
  const sets = 1 << count;
  const best = new Float64Array(sets * count).fill(Number.POSITIVE_INFINITY);
  const from = new Int8Array(sets * count).fill(-1);
  best[1 * count] = 0;
  for (let set = 1; set < sets; set += 2)
    for (let last = 0; last < count; last++) {
      const here = best[set * count + last]!;
      if (!Number.isFinite(here)) continue;
      for (let next = 1; next < count; next++) {
        if (set & (1 << next)) continue;
        const index = (set | (1 << next)) * count + next;
        const length = here + cost(last, next);
        if (length < best[index]!) {
          best[index] = length;
          from[index] = last;
        }
      }
    }
  let last = 1;
  for (let i = 1; i < count; i++)
    if (best[(sets - 1) * count + i]! + cost(i, 0) < best[(sets - 1) * count + last]! + cost(last, 0)) last = i;
  const tour: number[] = [];
  for (let set = sets - 1; last !== -1; ) {
    tour.push(last);
    const previous = from[set * count + last]!;
    set &= ~(1 << last);
    last = previous;
  }
  return tour.reverse();
}

function nearestNeighbour(count: number, cost: (i: number, j: number) => number): number[] {
  const left = new Set(Array.from({ length: count - 1 }, (_, i) => i + 1));
  const tour = [0];
  while (left.size > 0) {
    const at = tour[tour.length - 1]!;
    const next = [...left].reduce((a, b) => (cost(at, b) < cost(at, a) ? b : a));
    left.delete(next);
    tour.push(next);
  }
  return tour;
}

function twoOpt(tour: number[], cost: (i: number, j: number) => number): number[] {
  for (let improved = true; improved; ) {
    improved = false;
    for (let i = 0; i < tour.length - 1; i++)
      for (let j = i + 2; j < tour.length; j++) {
        const [a, b, c, d] = [tour[i]!, tour[i + 1]!, tour[j]!, tour[(j + 1) % tour.length]!];
        if (a === d || cost(a, c) + cost(b, d) >= cost(a, b) + cost(c, d) - 1e-9) continue;
        tour.splice(i + 1, j - i, ...tour.slice(i + 1, j + 1).reverse());
        improved = true;
      }
  }
  return tour;
}
