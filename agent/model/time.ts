/** CLOCK_MONOTONIC in milliseconds: one clock for all processes of a machine, which nobody can set. */
export function monotonicMillis(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
