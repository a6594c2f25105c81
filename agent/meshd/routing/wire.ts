/** The packets with advertisements and acknowledgements between the two ends of a link; they share the probes' port. */
import type { RegionId } from "../../model/ids.ts";
import { PROTOCOL_MAGIC } from "../probe/packet.ts";
import type { Acknowledgement } from "./flooding.ts";

const ADVERTISEMENT = 2;
const ACKNOWLEDGEMENT = 3;

export type RoutingPacket =
  | { readonly kind: "advertisement"; readonly ageMillis: number; readonly bytes: Buffer }
  | { readonly kind: "acknowledgement"; readonly meshId: number; readonly known: Acknowledgement };

/** A packet with a signed advertisement. @param ageMillis since its origin sent it, 0 to 2³² − 1 */
export function encodeAdvertisement(ageMillis: number, bytes: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(PROTOCOL_MAGIC, 0);
  header.writeUInt8(ADVERTISEMENT, 2);
  header.writeUInt32BE(ageMillis, 4);
  return Buffer.concat([header, bytes]);
}

/** A packet that acknowledges the advertisement `known`. */
export function encodeAcknowledgement(meshId: number, known: Acknowledgement): Buffer {
  const packet = Buffer.alloc(20);
  packet.writeUInt16BE(PROTOCOL_MAGIC, 0);
  packet.writeUInt8(ACKNOWLEDGEMENT, 2);
  packet.writeUInt8(known.fragment, 3);
  packet.writeUInt32BE(meshId, 4);
  packet.writeUInt32BE(known.origin, 8);
  packet.writeUInt32BE(known.incarnation, 12);
  packet.writeUInt32BE(known.sequence, 16);
  return packet;
}

/** Null: not a packet of this protocol. */
export function decodeRoutingPacket(packet: Buffer): RoutingPacket | null {
  if (packet.length < 8 || packet.readUInt16BE(0) !== PROTOCOL_MAGIC) return null;
  const type = packet.readUInt8(2);
  if (type === ADVERTISEMENT) {
    return { kind: "advertisement", ageMillis: packet.readUInt32BE(4), bytes: packet.subarray(8) };
  }
  if (type !== ACKNOWLEDGEMENT || packet.length !== 20) return null;
  return {
    kind: "acknowledgement",
    meshId: packet.readUInt32BE(4),
    known: {
      fragment: packet.readUInt8(3),
      origin: packet.readUInt32BE(8) as RegionId,
      incarnation: packet.readUInt32BE(12),
      sequence: packet.readUInt32BE(16),
    },
  };
}
