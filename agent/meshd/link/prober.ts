/**
 * Sends the probes of all links, and detects silent links, with one timer. If the timer fires more than one interval
 * late this process was stalled: the silence does not count, and the next probes carry a flag that says so.
 */
import { monotonicMillis } from "../../model/time.ts";
import type { StateChange } from "../probe/health.ts";
import { decodeProbe, encodeProbe } from "../probe/packet.ts";
import type { Link } from "./link.ts";

export interface ProberOptions {
  readonly intervalMillis: number;
  readonly links: () => Iterable<Link>;
  readonly onChange: (link: Link, change: StateChange, nowMillis: number) => void;
  /** Once an interval, after its probes. */
  readonly onTick: (nowMillis: number) => void;
}

export class Prober {
  readonly #options: ProberOptions;
  #timer: NodeJS.Timeout | null = null;
  #dueMillis = 0;
  #nextProbesMillis = 0;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Starts the timer, which runs while there are links; to be called when a link came up. */
  wake(): void {
    if (this.#timer) return;
    this.#nextProbesMillis = monotonicMillis();
    this.#schedule(this.#nextProbesMillis);
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Returns whether the packet was a probe. */
  receive(link: Link, packet: Buffer): boolean {
    const probe = decodeProbe(packet);
    if (!probe) return false;
    const nowMillis = monotonicMillis();
    this.#detectStall(nowMillis);
    const change = link.health.receive(probe, nowMillis);
    if (probe.received) link.capacity.addReport(probe.received, nowMillis);
    const evidence = link.health.evidence;
    if (evidence) link.epochs.acknowledge(evidence.sequence, evidence.heard, evidence.rttMicros);
    if (change) this.#changed(link, change, nowMillis);
    // An answer at once brings a new link up in one and a half round trips instead of as many intervals.
    else if (link.health.state === "waiting") this.#send(link, nowMillis);
    return true;
  }

  /** The interface is known to have failed: the link is down before any probe is missing. */
  markInterfaceFailed(link: Link, reason: string): void {
    const nowMillis = monotonicMillis();
    const change = link.health.markInterfaceFailed(reason, nowMillis);
    if (change) this.#changed(link, change, nowMillis);
  }

  #run(): void {
    const nowMillis = monotonicMillis();
    this.#timer = null;
    this.#detectStall(nowMillis);
    const probesDue = nowMillis >= this.#nextProbesMillis - 0.5;
    let earliest = Number.POSITIVE_INFINITY;
    let any = false;
    for (const link of this.#options.links()) {
      any = true;
      const change = link.health.evaluate(nowMillis);
      if (change) this.#changed(link, change, nowMillis);
      if (probesDue) this.#send(link, nowMillis);
      const deadline = link.health.deadlineMillis;
      if (deadline !== null && deadline > nowMillis) earliest = Math.min(earliest, deadline + 0.5);
    }
    if (probesDue) {
      const { intervalMillis } = this.#options;
      this.#nextProbesMillis = Math.max(this.#nextProbesMillis + intervalMillis, nowMillis + intervalMillis / 2);
      this.#options.onTick(nowMillis);
    }
    if (any) this.#schedule(Math.min(earliest, this.#nextProbesMillis));
  }

  #schedule(dueMillis: number): void {
    this.#dueMillis = dueMillis;
    this.#timer = setTimeout(() => this.#run(), Math.max(0, dueMillis - monotonicMillis()));
  }

  /** Must run before any silence is judged: in the timer, and for a packet that is read before the timer runs. */
  #detectStall(nowMillis: number): void {
    const lateMillis = nowMillis - this.#dueMillis;
    if (this.#dueMillis === 0 || lateMillis <= this.#options.intervalMillis) return;
    this.#dueMillis = nowMillis;
    for (const link of this.#options.links()) link.health.excuseStall(lateMillis, nowMillis);
  }

  #changed(link: Link, change: StateChange, nowMillis: number): void {
    // The peer learns at once whether this end hears it.
    this.#send(link, nowMillis);
    this.#options.onChange(link, change, nowMillis);
  }

  #send(link: Link, nowMillis: number): void {
    if (!link.socket || !link.maySendProbes(nowMillis)) return;
    const probe = { ...link.health.nextProbe(nowMillis), received: link.capacity.takeReport() };
    link.epochs.addSent(probe.sequence, nowMillis);
    link.socket.send(encodeProbe(probe));
  }
}
