/** One end of a link while its interface stands: what the agent wants of it, and what probes and counters know. */
import type { MeshId, RegionId } from "../../model/ids.ts";
import type { LinkSpec } from "../../model/meshd-messages.ts";
import type { DeviceCount } from "../counters/device-counters.ts";
import { Epochs } from "../counters/epochs.ts";
import { deviceName, linkLocalAddress } from "../kernel/marks.ts";
import { CapacityMeter } from "../probe/capacity.ts";
import { LinkHealth } from "../probe/health.ts";
import type { LinkSocket } from "../probe/socket.ts";
import { ATTRIBUTE, type LsaLink } from "../routing/lsa.ts";

/** Routes leave this long before the lease does, the interface this long after it: nothing in flight is lost. */
export const ROUTES_LEAVE_MILLIS = 2_000;
export const INTERFACE_STAYS_MILLIS = 5_000;

const LISTEN_MILLIS = 150;
const HANDSHAKE_RESTART_MILLIS = 700;

export class Link {
  readonly meshId: MeshId;
  readonly self: RegionId;
  readonly device: string;
  readonly ownAddress: string;
  readonly peerAddress: string;
  /** How advertisements name the link. */
  readonly tag: string;
  readonly health: LinkHealth;
  readonly epochs: Epochs;
  readonly capacity = new CapacityMeter();
  spec: LinkSpec;
  /** What the interface was last brought to; null: nothing yet. */
  applied: LinkSpec | null = null;
  socket: LinkSocket | null = null;
  /** False while its interface is not there, or is down: the kernel takes no route over it. */
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

  /** The interface came up here. */
  interfaceUp(nowMillis: number): void {
    this.#isInterfaceUp = true;
    this.#interfaceUpAt = nowMillis;
    this.#handshakeStartedAt = nowMillis;
    this.#interfaceUps++;
  }

  /** It went away, or fails. */
  interfaceDown(): void {
    this.#isInterfaceUp = false;
    this.#handshakeStartedAt = Number.POSITIVE_INFINITY;
  }

  /**
   * Two ends that begin a WireGuard handshake in the same instant each spoil the other's and are silent for 5 s. So the
   * higher region listens a little before it speaks.
   */
  maySendProbes(nowMillis: number): boolean {
    const leads = this.self < this.spec.peer;
    return (
      leads ||
      this.health.state !== "waiting" ||
      this.health.hasHeardSince(0) ||
      nowMillis - this.#interfaceUpAt > LISTEN_MILLIS
    );
  }

  /** The handshake was lost or spoiled: it is begun anew, long before WireGuard would, and by one end alone. */
  handshakeRestartDue(nowMillis: number): boolean {
    const leads = this.self < this.spec.peer || this.#interfaceUps > 1;
    if (
      !leads ||
      this.health.hasHeardSince(this.#interfaceUpAt) ||
      nowMillis < this.#handshakeStartedAt + HANDSHAKE_RESTART_MILLIS
    )
      return false;
    this.#handshakeStartedAt = nowMillis;
    return true;
  }

  counted(count: DeviceCount, nowMillis: number): void {
    const { rttMicros } = this.health;
    this.capacity.counted(count, { leasedKbps: this.#leasedKbps, rttMicros }, nowMillis);
  }

  /** What it was seen to carry, where that is less than what is leased; null: nothing says so. */
  shortageKbps(nowMillis: number): number | null {
    return this.capacity.shortageKbps(this.#leasedKbps, nowMillis);
  }

  get #leasedKbps(): number {
    return this.spec.shares.reduce((sum, { rateMbps }) => sum + rateMbps * 1000, 0);
  }

  /** What we say of it to the others; null: it may not be used this instant. */
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
      // Every tunnel has a preshared key out of an ML-KEM exchange.
      attributes: ATTRIBUTE.postQuantum,
      shares: spec.shares
        .map(({ buyer, rateMbps }) => ({ buyer, kbps: rateMbps * 1000 }))
        .sort((a, b) => a.buyer - b.buyer),
    };
  }
}

/** Whether the link's interface has a right to be there. */
export function shouldHaveInterface(spec: LinkSpec, nowMillis: number): boolean {
  return nowMillis < spec.notAfterMonotonicMillis + INTERFACE_STAYS_MILLIS;
}

/** The next instant at which time alone changes what a link may do; null: none is left. */
export function nextBoundary(spec: LinkSpec, nowMillis: number): number | null {
  const boundaries = [
    spec.startsMonotonicMillis,
    spec.notAfterMonotonicMillis - ROUTES_LEAVE_MILLIS,
    spec.notAfterMonotonicMillis + INTERFACE_STAYS_MILLIS,
  ];
  return boundaries.find((boundary) => boundary > nowMillis) ?? null;
}
