/** CLOCK_MONOTONIC in milliseconds: the same in all processes of a machine, and never set back. */
export function monotonicMillis(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
