import type { Received } from "./capacity.ts";

/**
 * The measuring packet, 72 bytes inside the ENI, network byte order. It says what its sender last heard from the other
 * side, so that each end learns round trip and loss both ways without synchronised clocks.
 */
export interface HealthProbe {
  /** The sender's event loop stood still just now: silence before this packet says nothing about the link. */
  readonly stalled: boolean;
  /** The sender has heard the other side lately. */
  readonly hears: boolean;
  /** Random per start of the sender: numbers start afresh with it. */
  readonly instance: number;
  readonly sequence: number;
  readonly sentMicros: number;
  /** What the sender last heard; sequence 0: nothing yet. */
  readonly echo: {
    readonly instance: number;
    readonly sequence: number;
    readonly sentMicros: number;
    /** Between hearing that and sending this. */
    readonly heldMicros: number;
    /** Bit k: sequence − k was heard, 64 bits. */
    readonly heard: bigint;
  };
  /** What the sender lost of the other side's probes over the short and the long window. */
  readonly lossShortPpm: number;
  readonly lossLongPpm: number;
}

export interface Probe extends HealthProbe {
  /** What came in over the link at its sender's end, and when that was counted by its clock. */
  readonly received: Received;
}

export const PROBE_TYPE = 1;
export const PROTOCOL_MAGIC = 0xe3e5;
const LENGTH = 72;
const MAX_HELD_MICROS = 0xffff_ffff;

export function encodeProbe(probe: Probe): Buffer {
  const packet = Buffer.alloc(LENGTH);
  packet.writeUInt16BE(PROTOCOL_MAGIC, 0);
  packet.writeUInt8(PROBE_TYPE, 2);
  packet.writeUInt8((probe.stalled ? 1 : 0) | (probe.hears ? 2 : 0), 3);
  packet.writeUInt32BE(probe.instance, 4);
  packet.writeUInt32BE(probe.sequence, 8);
  packet.writeDoubleBE(probe.sentMicros, 12);
  packet.writeUInt32BE(probe.echo.instance, 20);
  packet.writeUInt32BE(probe.echo.sequence, 24);
  packet.writeDoubleBE(probe.echo.sentMicros, 28);
  packet.writeUInt32BE(Math.min(MAX_HELD_MICROS, Math.max(0, Math.round(probe.echo.heldMicros))), 36);
  packet.writeBigUInt64BE(probe.echo.heard, 40);
  packet.writeUInt32BE(probe.lossShortPpm, 48);
  packet.writeUInt32BE(probe.lossLongPpm, 52);
  packet.writeDoubleBE(probe.received.bytes, 56);
  packet.writeDoubleBE(probe.received.atMicros, 64);
  return packet;
}

/** Null for anything that is not a probe with sane values: dropped and counted by whoever asked. */
export function decodeProbe(packet: Buffer): Probe | null {
  if (packet.length !== LENGTH || packet.readUInt16BE(0) !== PROTOCOL_MAGIC || packet.readUInt8(2) !== PROBE_TYPE) {
    return null;
  }
  const flags = packet.readUInt8(3);
  const probe: Probe = {
    stalled: (flags & 1) !== 0,
    hears: (flags & 2) !== 0,
    instance: packet.readUInt32BE(4),
    sequence: packet.readUInt32BE(8),
    sentMicros: packet.readDoubleBE(12),
    echo: {
      instance: packet.readUInt32BE(20),
      sequence: packet.readUInt32BE(24),
      sentMicros: packet.readDoubleBE(28),
      heldMicros: packet.readUInt32BE(36),
      heard: packet.readBigUInt64BE(40),
    },
    lossShortPpm: packet.readUInt32BE(48),
    lossLongPpm: packet.readUInt32BE(52),
    received: { bytes: packet.readDoubleBE(56), atMicros: packet.readDoubleBE(64) },
  };
  const sane =
    flags < 4 &&
    probe.sequence > 0 &&
    Number.isFinite(probe.sentMicros) &&
    Number.isFinite(probe.echo.sentMicros) &&
    Number.isFinite(probe.received.bytes) &&
    Number.isFinite(probe.received.atMicros) &&
    probe.lossShortPpm <= 1_000_000 &&
    probe.lossLongPpm <= 1_000_000;
  return sane ? probe : null;
}
