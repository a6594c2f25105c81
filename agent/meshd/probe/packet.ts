import type { Received } from "./capacity.ts";

/**
 * The probe packet: 50 bytes, or 62 with a report, in network byte order. It echoes what its sender last received from
 * the peer, so that each end learns round trip and loss both ways without synchronised clocks.
 */
export interface HealthProbe {
  /** The sender was stalled just before: its silence says nothing about the link. */
  readonly stalled: boolean;
  /** The sender hears the peer. */
  readonly hears: boolean;
  /** Random per start of the sender; sequence numbers start again with it. */
  readonly instance: number;
  readonly sequence: number;
  /** By the sender's clock. */
  readonly sentMicros: number;
  /** What the sender last received; sequence 0: nothing yet. */
  readonly echo: {
    readonly instance: number;
    readonly sequence: number;
    readonly sentMicros: number;
    /** Between receiving that and sending this. */
    readonly heldMicros: number;
    /** Bit k: sequence − k was received, 64 bits. */
    readonly heard: bigint;
  };
  /** Loss of the peer's probes at the sender, over 2 s and 30 s. */
  readonly lossShortPpm: number;
  readonly lossLongPpm: number;
}

export interface Probe extends HealthProbe {
  /** What the sender received over the link in total; null: no new count. */
  readonly received: Received | null;
}

export const PROBE_TYPE = 1;
export const PROTOCOL_MAGIC = 0xe3e5;
const LENGTH = 50;
const WITH_REPORT = LENGTH + 12;
const MAX_HELD_MICROS = 0xffff_ffff;
/** Of the sender's clock in microseconds: nine years after its start. */
const MAX_48 = 2 ** 48 - 1;

/** 50 bytes, or 62 with a report of received bytes. */
export function encodeProbe({ echo, received, ...probe }: Probe): Buffer {
  const packet = Buffer.alloc(received ? WITH_REPORT : LENGTH);
  packet.writeUInt16BE(PROTOCOL_MAGIC, 0);
  packet.writeUInt8(PROBE_TYPE, 2);
  packet.writeUInt8((probe.stalled ? 1 : 0) | (probe.hears ? 2 : 0), 3);
  packet.writeUInt32BE(probe.instance, 4);
  packet.writeUInt32BE(probe.sequence, 8);
  packet.writeUIntBE(whole(probe.sentMicros, MAX_48), 12, 6);
  packet.writeUInt32BE(echo.instance, 18);
  packet.writeUInt32BE(echo.sequence, 22);
  packet.writeUIntBE(whole(echo.sentMicros, MAX_48), 26, 6);
  packet.writeUInt32BE(whole(echo.heldMicros, MAX_HELD_MICROS), 32);
  packet.writeBigUInt64BE(echo.heard, 36);
  packet.writeUIntBE(probe.lossShortPpm, 44, 3);
  packet.writeUIntBE(probe.lossLongPpm, 47, 3);
  if (received) {
    // Wraps around; the reader then starts again.
    packet.writeUIntBE(received.bytes % (MAX_48 + 1), 50, 6);
    packet.writeUIntBE(whole(received.atMicros, MAX_48), 56, 6);
  }
  return packet;
}

const whole = (value: number, most: number): number => Math.min(most, Math.max(0, Math.round(value)));

/** Null: not a probe, or with implausible values. */
export function decodeProbe(packet: Buffer): Probe | null {
  const hasReport = packet.length === WITH_REPORT;
  if (!hasReport && packet.length !== LENGTH) return null;
  if (packet.readUInt16BE(0) !== PROTOCOL_MAGIC || packet.readUInt8(2) !== PROBE_TYPE) return null;
  const flags = packet.readUInt8(3);
  const probe: Probe = {
    stalled: (flags & 1) !== 0,
    hears: (flags & 2) !== 0,
    instance: packet.readUInt32BE(4),
    sequence: packet.readUInt32BE(8),
    sentMicros: packet.readUIntBE(12, 6),
    echo: {
      instance: packet.readUInt32BE(18),
      sequence: packet.readUInt32BE(22),
      sentMicros: packet.readUIntBE(26, 6),
      heldMicros: packet.readUInt32BE(32),
      heard: packet.readBigUInt64BE(36),
    },
    lossShortPpm: packet.readUIntBE(44, 3),
    lossLongPpm: packet.readUIntBE(47, 3),
    received: hasReport ? { bytes: packet.readUIntBE(50, 6), atMicros: packet.readUIntBE(56, 6) } : null,
  };
  const sane = flags < 4 && probe.sequence > 0 && probe.lossShortPpm <= 1_000_000 && probe.lossLongPpm <= 1_000_000;
  return sane ? probe : null;
}
