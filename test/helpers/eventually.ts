import { setTimeout as delay } from "node:timers/promises";

/**
 * Waits for what happens in another process or in somebody else's time, and nothing tells of: looks until it is so, at
 * most as long as it is patient. A look that fails, as at an agent that does not answer, counts as "not yet".
 */
export function patiently(usualMillis: number) {
  return async function eventually<T>(
    what: string,
    look: () => Promise<T | undefined>,
    patienceMillis = usualMillis,
  ): Promise<T> {
    let last: unknown;
    for (const deadline = performance.now() + patienceMillis; performance.now() < deadline; await delay(50)) {
      try {
        const found = await look();
        if (found !== undefined) return found;
      } catch (error) {
        last = error;
      }
    }
    throw new Error(`it never came to this: ${what}`, { cause: last });
  };
}
