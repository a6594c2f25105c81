/** One end of a link: its specification, and the state of its interface, probes and counters. */
import type { MeshId, RegionId } from "../../model/ids.ts";
import type { LinkSpec } from "../../model/meshd-messages.ts";
import type { DeviceCount } from "../counters/device-counters.ts";
import { Epochs } from "../counters/epochs.ts";
import { deviceName, linkLocalAddress } from "../kernel/marks.ts";
import { CapacityMeter } from "../probe/capacity.ts";
import { LinkHealth } from "../probe/health.ts";
import type { LinkSocket } from "../probe/socket.ts";
import { ATTRIBUTE, type LsaLink } from "../routing/lsa.ts";

/** Routes leave the link this long before its lease ends, the interface is removed this long after: no packet is lost. */
export const ROUTES_LEAVE_MILLIS = 2_000;
export const INTERFACE_STAYS_MILLIS = 5_000;

const LISTEN_FIRST_MILLIS = 150;
const HANDSHAKE_RESTART_MILLIS = 700;

export class Link {
  readonly meshId: MeshId;
  readonly self: RegionId;
  readonly device: string;
  readonly ownAddress: string;
  readonly peerAddress: string;
  /** Name of the link in advertisements. */
  readonly tag: string;
  readonly health: LinkHealth;
  readonly epochs: Epochs;
  readonly capacity = new CapacityMeter();
  spec: LinkSpec;
  /** The specification that the interface has; null: none yet. */
  applied: LinkSpec | null = null;
  socket: LinkSocket | null = null;
  /** False while the interface is missing or down, when the kernel accepts no route over it. */
  #isInterfaceUp = false;
  #interfaceUpAt = Number.NEGATIVE_INFINITY;
  #handshakeStartedAt = Number.POSITIVE_INFINITY;
  #interfaceUps = 0;

  constructor(
    meshId: MeshId,
    self: RegionId,
    spec: LinkSpec,
    probing: { readonly intervalMillis: number; readonly instance: number; readonly nowMillis: number },
  ) {
    this.meshId = meshId;
    this.self = self;
    this.spec = spec;
    this.device = deviceName(spec.linkId, spec.attempt, self);
    this.ownAddress = linkLocalAddress(spec.linkId, self);
    this.peerAddress = linkLocalAddress(spec.linkId, spec.peer);
    this.tag = spec.linkId.slice(2, 18);
    this.health = new LinkHealth(probing);
    this.epochs = new Epochs(spec.startsMonotonicMillis, spec.bounds, probing.intervalMillis);
  }

  get isInterfaceUp(): boolean {
    return this.#isInterfaceUp;
  }

  /** The interface came up. */
  markInterfaceUp(nowMillis: number): void {
    this.#isInterfaceUp = true;
    this.#interfaceUpAt = nowMillis;
    this.#handshakeStartedAt = nowMillis;
    this.#interfaceUps++;
  }

  /** The interface was removed or set down, or its socket failed. */
  markInterfaceDown(): void {
    this.#isInterfaceUp = false;
    this.#handshakeStartedAt = Number.POSITIVE_INFINITY;
  }

  /**
   * Two ends that start a WireGuard handshake at the same time invalidate each other's, and wait 5 s. So the end with the
   * higher region id waits a little before it sends.
   */
  maySendProbes(nowMillis: number): boolean {
    const leads = this.self < this.spec.peer;
    return (
      leads ||
      this.health.state !== "waiting" ||
      this.health.hasHeardSince(0) ||
      nowMillis - this.#interfaceUpAt > LISTEN_FIRST_MILLIS
    );
  }

  /** The handshake was lost: one end restarts it long before WireGuard would. */
  isHandshakeRestartDue(nowMillis: number): boolean {
    const leads = this.self < this.spec.peer || this.#interfaceUps > 1;
    return (
      leads &&
      !this.health.hasHeardSince(this.#interfaceUpAt) &&
      nowMillis >= this.#handshakeStartedAt + HANDSHAKE_RESTART_MILLIS
    );
  }

  markHandshakeStarted(nowMillis: number): void {
    this.#handshakeStartedAt = nowMillis;
  }

  /** Cumulative counts of the interface, a few times a second. */
  addCounts(count: DeviceCount, nowMillis: number): void {
    const { rttMicros } = this.health;
    this.capacity.addCounts(count, { leasedKbps: this.#leasedKbps, rttMicros }, nowMillis);
  }

  /** Observed capacity in kbit/s if it is less than what is leased; null: no shortage observed. */
  shortageKbps(nowMillis: number): number | null {
    return this.capacity.shortageKbps(this.#leasedKbps, nowMillis);
  }

  get #leasedKbps(): number {
    return this.spec.shares.reduce((sum, { rateMbps }) => sum + rateMbps * 1000, 0);
  }

  /** This end's part of the advertisement; null: the link must not be used now. */
  advertisement(nowMillis: number): LsaLink | null {
    const { spec, health } = this;
    const leased =
      nowMillis >= spec.startsMonotonicMillis && nowMillis < spec.notAfterMonotonicMillis - ROUTES_LEAVE_MILLIS;
    const rttMicros = health.baseRttMicros;
    if (!leased || health.state !== "up" || rttMicros === null) return null;
    return {
      tag: this.tag,
      peer: spec.peer,
      rttMicros: Math.max(1, rttMicros),
      jitterMicros: health.jitterMicros ?? 0,
      lossPpm: health.advertisedLossPpm,
      observedKbps: this.shortageKbps(nowMillis) ?? 0,
      // Every tunnel has a preshared key from an ML-KEM exchange.
      attributes: ATTRIBUTE.postQuantum,
      shares: spec.shares
        .map(({ buyer, rateMbps }) => ({ buyer, kbps: rateMbps * 1000 }))
        .sort((a, b) => a.buyer - b.buyer),
    };
  }
}

/** Until 5 s after the end of the lease. */
export function shouldHaveInterface(spec: LinkSpec, nowMillis: number): boolean {
  return nowMillis < spec.notAfterMonotonicMillis + INTERFACE_STAYS_MILLIS;
}

/** The next time at which the link's state changes by its term alone, monotonic milliseconds; null: none is left. */
export function nextBoundary(spec: LinkSpec, nowMillis: number): number | null {
  const boundaries = [
    spec.startsMonotonicMillis,
    spec.notAfterMonotonicMillis - ROUTES_LEAVE_MILLIS,
    spec.notAfterMonotonicMillis + INTERFACE_STAYS_MILLIS,
  ];
  return boundaries.find((boundary) => boundary > nowMillis) ?? null;
}
