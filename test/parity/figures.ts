/** Compares what a file expects with what an implementation gave, figure by figure, and counts them. */

export class Mismatch extends Error {}

/** @returns how many figures were equal. @throws Mismatch at the first that is not, named by its place. */
export function compareFigures(expected: unknown, found: unknown, place: string): number {
  if (Array.isArray(expected)) {
    if (!Array.isArray(found) || found.length !== expected.length)
      throw new Mismatch(
        `${place}: ${expected.length} entries expected, found ${Array.isArray(found) ? found.length : typeof found}`,
      );
    return expected.reduce((count: number, value, i) => count + compareFigures(value, found[i], `${place}[${i}]`), 0);
  }
  if (typeof expected === "object" && expected !== null) {
    const given = found as Record<string, unknown> | null | undefined;
    return Object.entries(expected).reduce((count, [key, value]) => {
      if (given === null || typeof given !== "object" || !(key in given))
        throw new Mismatch(`${place}.${key}: expected ${JSON.stringify(value)}, nothing was computed for it`);
      return count + compareFigures(value, given[key], `${place}.${key}`);
    }, 0);
  }
  if (plain(expected) !== plain(found))
    throw new Mismatch(`${place}: expected ${plain(expected)}, found ${plain(found)}`);
  return 1;
}

/** Numbers, bigints and decimal strings of one value are one figure; hexadecimal is compared without regard to case. */
function plain(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") return BigInt(value).toString();
  return String(value).toLowerCase();
}
