/** The pause before another attempt: doubled with each failure in a row, up to a maximum. */

/** @param failures in a row: 1 after the first. */
export function backoff(failures: number, first: number, max: number): number {
  return Math.min(max, first * 2 ** Math.max(0, failures - 1));
}

/** Changes a pause by up to the given share of it, so that many do not try again at the same moment. */
export function withJitter(millis: number, share = 0.25): number {
  return millis * (1 - share + 2 * share * Math.random());
}
