/**
 * Sends every link's probes on time and looks at silence when it is due. One timer for all links. When it comes more
 * than one interval late, it was us who stood still: no silence counts, and the next probes say so.
 */
import { monotonicMillis } from "../../model/time.ts";
import type { StateChange } from "../probe/health.ts";
import { decodeProbe, encodeProbe } from "../probe/packet.ts";
import type { Link } from "./link.ts";

export interface ProberOptions {
  readonly intervalMillis: number;
  readonly links: () => Iterable<Link>;
  readonly onChange: (link: Link, change: StateChange, nowMillis: number) => void;
  /** After the probes of each interval. */
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

  /** Runs while there are links; call it whenever one came. */
  wake(): void {
    if (this.#timer) return;
    this.#nextProbesMillis = monotonicMillis();
    this.#schedule(this.#nextProbesMillis);
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Whether the packet was a probe. */
  receive(link: Link, packet: Buffer): boolean {
    const probe = decodeProbe(packet);
    if (!probe) return false;
    const nowMillis = monotonicMillis();
    this.#noticeStall(nowMillis);
    const change = link.health.heard(probe, nowMillis);
    if (probe.received) link.capacity.reported(probe.received, nowMillis);
    const evidence = link.health.evidence;
    if (evidence) link.epochs.heard(evidence.sequence, evidence.heard, evidence.rttMicros);
    if (change) this.#changed(link, change, nowMillis);
    // A new link is proved in one and a half round trips, not in as many intervals.
    else if (link.health.state === "waiting") this.#send(link, nowMillis);
    return true;
  }

  /** The interface fails: no probe needs to go missing for that. */
  broken(link: Link, reason: string): void {
    const nowMillis = monotonicMillis();
    const change = link.health.broken(reason, nowMillis);
    if (change) this.#changed(link, change, nowMillis);
  }

  #run(): void {
    const nowMillis = monotonicMillis();
    this.#timer = null;
    this.#noticeStall(nowMillis);
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

  /** Looked for before anything is judged: by the timer, and by a packet that is read before the timer runs. */
  #noticeStall(nowMillis: number): void {
    const lateMillis = nowMillis - this.#dueMillis;
    if (this.#dueMillis === 0 || lateMillis <= this.#options.intervalMillis) return;
    this.#dueMillis = nowMillis;
    for (const link of this.#options.links()) link.health.stalled(lateMillis, nowMillis);
  }

  #changed(link: Link, change: StateChange, nowMillis: number): void {
    // The other end learns at once what we hear and what not.
    this.#send(link, nowMillis);
    this.#options.onChange(link, change, nowMillis);
  }

  #send(link: Link, nowMillis: number): void {
    if (!link.socket || !link.maySendProbes(nowMillis)) return;
    const probe = { ...link.health.probe(nowMillis), received: link.capacity.report() };
    link.epochs.sent(probe.sequence, nowMillis);
    link.socket.send(encodeProbe(probe));
  }
}
