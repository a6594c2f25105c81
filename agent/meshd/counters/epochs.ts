/**
 * The metering epochs of one link, 10 s each: how many probes were due, and how many met the bounds of the lease. A probe
 * meets them if the peer received it, the round trip is within the bound, and the loss of the last 10 s does not exceed
 * the bound by more than two standard deviations (of 100 probes at a bound of 1 %, three may be lost). Probes sent before
 * the link first worked are not met, and do not count as loss. Pure.
 */
import { EPOCH_SECONDS, PROBE_LOST_SECONDS } from "../../model/market.ts";

const EPOCH_MILLIS = EPOCH_SECONDS * 1000;
const JUDGED_AFTER_MILLIS = PROBE_LOST_SECONDS * 1000;
const KEPT = 400;

export interface Bounds {
  readonly maxRttMicros: number;
  readonly maxLossPpm: number;
}

export interface EpochCount {
  readonly epoch: number;
  readonly probes: number;
  readonly met: number;
  readonly worstRttMicros: number;
  readonly worstLossPpm: number;
}

interface Sent {
  readonly sequence: number;
  readonly atMillis: number;
  heard: boolean;
  rttMicros: number;
}

/** How many of `probes` a link within its bound may lose. */
export function lostByChance(probes: number, maxLossPpm: number): number {
  const expected = (probes * maxLossPpm) / 1_000_000;
  return expected + 2 * Math.sqrt(expected);
}

type Tally = { -readonly [key in keyof EpochCount]: EpochCount[key] };

export class Epochs {
  readonly #startMillis: number;
  readonly #bounds: Bounds;
  readonly #minDue: number;
  #open: Sent[] = [];
  /** Outcomes of the last 10 s, oldest first. */
  #recent: { readonly atMillis: number; readonly lost: boolean }[] = [];
  #lost = 0;
  #everHeard = false;
  readonly #tallies: Tally[] = [];

  constructor(startMillis: number, bounds: Bounds, intervalMillis: number) {
    this.#startMillis = startMillis;
    this.#bounds = bounds;
    // Two fewer, because an epoch starts and ends within an interval.
    this.#minDue = Math.floor(EPOCH_MILLIS / intervalMillis) - 2;
  }

  addSent(sequence: number, nowMillis: number): void {
    this.#judge(nowMillis);
    if (nowMillis >= this.#startMillis) this.#open.push({ sequence, atMillis: nowMillis, heard: false, rttMicros: 0 });
  }

  /** The peer received these (bit k of `map`: `newest` − k); those reported for the first time get this round trip. */
  acknowledge(newest: number, map: bigint, rttMicros: number): void {
    for (const probe of this.#open) {
      const back = newest - probe.sequence;
      if (probe.heard || back < 0 || back > 63 || ((map >> BigInt(back)) & 1n) === 0n) continue;
      probe.heard = true;
      probe.rttMicros = rttMicros;
    }
  }

  /** The epochs that are over, at most the last 400, oldest first. */
  over(nowMillis: number): readonly EpochCount[] {
    this.#judge(nowMillis);
    const running = this.#epochOf(nowMillis - JUDGED_AFTER_MILLIS);
    // Probes that were due and not sent, because the interface was late or meshd did not run, count as not met.
    return this.#tallies
      .filter((tally) => tally.epoch < running)
      .map((tally) => ({ ...tally, probes: Math.max(tally.probes, this.#minDue) }));
  }

  #judge(nowMillis: number): void {
    while (this.#open[0] && nowMillis - this.#open[0].atMillis > JUDGED_AFTER_MILLIS) {
      const probe = this.#open.shift();
      if (!probe) return;
      this.#everHeard ||= probe.heard;
      if (this.#everHeard) this.#recent.push({ atMillis: probe.atMillis, lost: !probe.heard });
      if (this.#everHeard && !probe.heard) this.#lost++;
      while (this.#recent[0] && this.#recent[0].atMillis <= probe.atMillis - EPOCH_MILLIS) {
        if (this.#recent.shift()?.lost) this.#lost--;
      }
      const judged = this.#recent.length;
      const lossPpm = judged === 0 ? 1_000_000 : Math.round((this.#lost * 1_000_000) / judged);
      const tally = this.#tally(this.#epochOf(probe.atMillis));
      tally.probes++;
      tally.worstRttMicros = Math.max(tally.worstRttMicros, probe.rttMicros);
      tally.worstLossPpm = Math.max(tally.worstLossPpm, lossPpm);
      const inTime = probe.heard && probe.rttMicros <= this.#bounds.maxRttMicros;
      const met = inTime && this.#lost <= lostByChance(judged, this.#bounds.maxLossPpm);
      if (met) tally.met++;
    }
  }

  #epochOf(millis: number): number {
    return Math.floor((millis - this.#startMillis) / EPOCH_MILLIS);
  }

  #tally(epoch: number): Tally {
    const last = this.#tallies.at(-1);
    if (last?.epoch === epoch) return last;
    const tally = { epoch, probes: 0, met: 0, worstRttMicros: 0, worstLossPpm: 0 };
    this.#tallies.push(tally);
    if (this.#tallies.length > KEPT + 1) this.#tallies.shift();
    return tally;
  }
}
