/**
 * Reads from outside, every 10 ms, how many packets the peering carried one way. The time of the last packet is when
 * the hosts' traffic left the peering for the mesh, whatever the agents report.
 */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMillis } from "../../agent/model/time.ts";

export class PeeringWatch {
  readonly #readings: { readonly atMillis: number; readonly packets: number }[] = [];
  readonly #ended = new AbortController();
  readonly #watching: Promise<void>;

  constructor(readPackets: () => Promise<number>) {
    this.#watching = this.#watch(readPackets);
    // When a step fails, nobody calls `end`, and reading fails as soon as the lab is gone.
    this.#watching.catch(() => undefined);
  }

  /** Ends the watch. @returns the time of the last packet, CLOCK_MONOTONIC in ms. @throws what reading threw */
  async end(): Promise<number> {
    this.#ended.abort();
    await this.#watching;
    const last = this.#readings.at(-1)?.packets ?? 0;
    return this.#readings.find(({ packets }) => packets === last)?.atMillis ?? Number.NaN;
  }

  async #watch(readPackets: () => Promise<number>): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const packets = await readPackets();
      this.#readings.push({ atMillis: monotonicMillis(), packets });
      await delay(10);
    }
  }
}
