/**
 * Whether a link may be used, judged by its probes. No clock and no socket: times come in, probes and changes go out.
 *
 * | state   | becomes | when |
 * |---------|---------|------|
 * | waiting | up      | a probe shows that each side hears the other |
 * | up      | down    | n probes missing in a row; the peer does not hear us; the interface is down |
 * | down    | up      | probes arrive both ways for the hold-down: 1, 2, 4 … 30 s, doubled each time it goes down within a minute |
 *
 * Forbidden: waiting → down, and any use before probes arrived both ways.
 */
import { backoff } from "../../model/backoff.ts";
import { Arrivals, lostOf } from "./arrivals.ts";
import type { HealthProbe } from "./packet.ts";
import { RoundTrip } from "./round-trip.ts";

export type LinkState = "waiting" | "up" | "down";
export interface StateChange {
  readonly state: LinkState;
  readonly reason: string;
}

const MAX_SILENCE_MILLIS = 1_000;
const MIN_HOLD_MILLIS = 1_000;
const MAX_HOLD_MILLIS = 30_000;
const HOLD_RESET_MILLIS = 60_000;
/** Of the last 20 probes each way: this many lost in total happen by chance in one of 15,000 windows at 1 % loss. */
const BREACH_PROBES = 20;
const BREACH_LOST = 5;
/** A *stalled* probe of the peer within this time explains the silence before it: no hold-down is applied. */
const EXCUSED_WITHIN_MILLIS = 2_000;

/** How many probes must be missing in a row: at the link's usual loss the chance is below 10⁻⁷; at least three. */
export function probesUntilDown(lossPpm: number): number {
  const loss = Math.min(lossPpm, 999_999) / 1_000_000;
  return loss <= 0 ? 3 : Math.max(3, Math.ceil(Math.log(1e-7) / Math.log(loss)));
}

export class LinkHealth {
  readonly #intervalMillis: number;
  readonly #instance: number;
  readonly #arrivals = new Arrivals();
  readonly #roundTrip = new RoundTrip();
  #state: LinkState = "waiting";
  #since: number;
  #sequence = 0;
  #peer: HealthProbe | null = null;
  #heardAt: number | null = null;
  #bothWaysSince: number | null = null;
  /** How often the link went down, since it last was up for a minute. */
  #downs = 0;
  #wentDownBySilence = false;
  #wasSilent = false;
  #stalled = false;
  #excuseUntil = Number.NEGATIVE_INFINITY;

  constructor(options: { intervalMillis: number; instance: number; nowMillis: number }) {
    this.#intervalMillis = options.intervalMillis;
    this.#instance = options.instance;
    this.#since = options.nowMillis;
  }

  get state(): LinkState {
    return this.#state;
  }
  hasHeardSince(millis: number): boolean {
    return this.#heardAt !== null && this.#heardAt > millis;
  }
  get sinceMillis(): number {
    return this.#since;
  }
  get sequence(): number {
    return this.#sequence;
  }
  get rttMicros(): number | null {
    return this.#roundTrip.medianMicros;
  }
  get baseRttMicros(): number | null {
    return this.#roundTrip.baseMicros;
  }
  get jitterMicros(): number | null {
    return this.#roundTrip.jitterMicros;
  }
  /** Loss of the peer's probes, over the worse of 2 s and 30 s. */
  get lossReversePpm(): number | null {
    return this.#heardAt === null ? null : Math.max(this.#loss(2_000), this.#loss(30_000));
  }
  /** The same, or the loss of both directions together if that is worse: it shows a lossy link in half the time. */
  get advertisedLossPpm(): number {
    const echo = this.#peer?.echo.instance === this.#instance ? this.#peer.echo : null;
    const lost = this.#arrivals.lost(BREACH_PROBES) + (echo ? lostOf(echo.heard, BREACH_PROBES) : 0);
    const together = lost < BREACH_LOST ? 0 : Math.round((lost * 1_000_000) / (2 * BREACH_PROBES));
    return Math.min(999_999, Math.max(this.lossReversePpm ?? 0, together));
  }
  get lossForwardPpm(): number | null {
    return this.#peer === null ? null : Math.max(this.#peer.lossShortPpm, this.#peer.lossLongPpm);
  }
  /** Which of our probes the peer received, with the newest round trip: for the epochs. */
  get evidence(): { readonly sequence: number; readonly heard: bigint; readonly rttMicros: number } | null {
    const echo = this.#peer?.echo;
    const rttMicros = this.rttMicros;
    if (!echo || echo.sequence === 0 || echo.instance !== this.#instance || rttMicros === null) return null;
    return { sequence: echo.sequence, heard: echo.heard, rttMicros };
  }

  /** Makes the next probe to send. */
  nextProbe(nowMillis: number): HealthProbe {
    this.#sequence++;
    const stalled = this.#stalled;
    this.#stalled = false;
    return {
      stalled,
      hears: this.#hears(nowMillis),
      instance: this.#instance,
      sequence: this.#sequence,
      sentMicros: nowMillis * 1000,
      echo: {
        instance: this.#peer?.instance ?? 0,
        sequence: this.#peer === null ? 0 : this.#arrivals.last,
        sentMicros: this.#peer?.sentMicros ?? 0,
        heldMicros: this.#heardAt === null ? 0 : (nowMillis - this.#heardAt) * 1000,
        heard: this.#arrivals.map(),
      },
      lossShortPpm: this.#loss(2_000),
      lossLongPpm: this.#loss(30_000),
    };
  }

  /** A probe of the peer. */
  receive(probe: HealthProbe, nowMillis: number): StateChange | null {
    if (this.#peer && probe.instance !== this.#peer.instance) {
      // The peer restarted, or this is a late packet of its earlier process: sequence numbers are not comparable.
      this.#peer = null;
      this.#arrivals.restart(probe.sequence);
    } else if (probe.stalled || this.#wasSilent) {
      // An outage is not counted as loss, so that the next one is detected as fast as the first.
      this.#arrivals.restart(probe.sequence);
    } else if (!this.#arrivals.add(probe.sequence)) {
      return null;
    }
    if (probe.sequence < this.#arrivals.last) return null;
    this.#wasSilent = false;
    this.#peer = probe;
    this.#heardAt = nowMillis;
    if (probe.echo.instance === this.#instance && probe.echo.sequence > 0 && probe.echo.sequence <= this.#sequence) {
      const rttMicros = nowMillis * 1000 - probe.echo.sentMicros - probe.echo.heldMicros;
      if (rttMicros > 0 && rttMicros < 60_000_000) this.#roundTrip.add(rttMicros, nowMillis);
    }
    const excused =
      probe.stalled &&
      this.#state === "down" &&
      this.#wentDownBySilence &&
      nowMillis - this.#since < EXCUSED_WITHIN_MILLIS;
    if (excused) this.#downs = 0;
    return this.#evaluate(nowMillis, true);
  }

  /** To be called at each interval. */
  evaluate(nowMillis: number): StateChange | null {
    return this.#evaluate(nowMillis, false);
  }

  #evaluate(nowMillis: number, hasArrived: boolean): StateChange | null {
    const problem = this.#problem(nowMillis);
    if (problem !== null) {
      this.#bothWaysSince = null;
      return this.#state === "up" ? this.#goDown(problem, { bySilence: true }, nowMillis) : null;
    }
    this.#bothWaysSince ??= nowMillis;
    if (this.#state === "up") {
      if (nowMillis - this.#since > HOLD_RESET_MILLIS) this.#downs = 0;
      return null;
    }
    const heldMillis = nowMillis - this.#bothWaysSince;
    const holdMillis = this.#downs === 0 ? 0 : backoff(this.#downs, MIN_HOLD_MILLIS, MAX_HOLD_MILLIS);
    // Only when a probe arrives: without one, a flapping link may be down again.
    if (heldMillis < holdMillis || !hasArrived) return null;
    const reason =
      this.#state === "waiting"
        ? "probes arrive both ways"
        : `probes arrive both ways for ${Math.round(heldMillis)} ms (hold-down ${holdMillis} ms)`;
    return this.#enter("up", reason, nowMillis);
  }

  /** The interface is down, or its socket failed. */
  markInterfaceFailed(reason: string, nowMillis: number): StateChange | null {
    this.#bothWaysSince = null;
    this.#heardAt = null;
    return this.#state === "up" ? this.#goDown(reason, { bySilence: false }, nowMillis) : null;
  }

  /** This process was stalled for `lateMillis`: that time does not count as silence. */
  excuseStall(lateMillis: number, nowMillis: number): void {
    if (this.#heardAt !== null) this.#heardAt = Math.min(nowMillis, this.#heardAt + lateMillis);
    this.#excuseUntil = nowMillis + 2 * this.#intervalMillis + (this.rttMicros ?? 0) / 1000;
    this.#stalled = true;
  }

  /** When the link goes down if no probe arrives before; null: none arrived yet. */
  get deadlineMillis(): number | null {
    return this.#heardAt === null ? null : this.#heardAt + this.#detectionMillis(this.#loss(30_000));
  }

  /** Null: probes arrive both ways. */
  #problem(nowMillis: number): string | null {
    if (this.#heardAt === null || this.#peer === null) return "no probe yet";
    const silence = nowMillis - this.#heardAt;
    const limit = this.#detectionMillis(this.#loss(30_000));
    if (silence > limit) {
      return `no probe for ${Math.round(silence)} ms (limit ${Math.round(limit)} ms at ${this.#loss(30_000)} ppm loss)`;
    }
    const { echo, hears, lossLongPpm } = this.#peer;
    if (echo.sequence === 0 || echo.instance !== this.#instance) return "the peer has not heard us yet";
    // The peer missed our probes because we were stalled.
    if (nowMillis < this.#excuseUntil) return null;
    if (!hears) return "the peer does not hear us";
    const unheard = echo.heldMicros / 1000;
    if (unheard > this.#detectionMillis(lossLongPpm) + this.#intervalMillis) {
      return `the peer has not heard us for ${Math.round(unheard)} ms`;
    }
    return null;
  }

  #hears(nowMillis: number): boolean {
    return this.#heardAt !== null && nowMillis - this.#heardAt <= this.#detectionMillis(this.#loss(30_000));
  }

  /** The silence after which the link goes down: n missing probes, and room for jitter. */
  #detectionMillis(lossPpm: number): number {
    const silence = Math.min(MAX_SILENCE_MILLIS, probesUntilDown(lossPpm) * this.#intervalMillis);
    const jitterMillis = (this.#roundTrip.jitterMicros ?? 0) / 1000;
    return silence + Math.min(this.#intervalMillis, 2 + 4 * jitterMillis);
  }

  #loss(windowMillis: number): number {
    return this.#arrivals.lossPpm(Math.round(windowMillis / this.#intervalMillis));
  }

  #goDown(reason: string, { bySilence }: { readonly bySilence: boolean }, nowMillis: number): StateChange {
    this.#wasSilent = !this.#hears(nowMillis);
    this.#wentDownBySilence = bySilence;
    this.#downs++;
    return this.#enter("down", reason, nowMillis);
  }

  #enter(state: LinkState, reason: string, nowMillis: number): StateChange {
    this.#state = state;
    this.#since = nowMillis;
    return { state, reason };
  }
}
