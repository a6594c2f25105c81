/**
 * By what our objects in the kernel are known: whoever cleans up needs to know nothing else. Objects that do not carry
 * one of these marks are somebody else's, and are never written.
 */
import { createHash } from "node:crypto";
import type { LinkId, RegionId } from "../../model/ids.ts";
import { TRAFFIC_CLASSES, type TrafficClass } from "../../model/traffic-class.ts";

/** Of our rules, routes and next-hop objects. */
export const PROTOCOL = 69;
export const NFT_TABLE = "ephemesh";
/** The guard lets everything else pass unseen. */
export const DEVICE_PREFIX = "eph";
/** For patterns. */
export const DEVICE = `${DEVICE_PREFIX}[0-9a-f]{12}`;
export const DEVICE_PATTERN = new RegExp(`^${DEVICE}$`);

/** UDP inside an ENI: probes and link state. */
export const PROBE_PORT = 7359;

/**
 * A firewall mark of ours: `65` · kind (4 bits) · mesh index (12 bits) · class (2 bits) · bucket (6 bits). A mesh index stands for
 * one buyer in one mesh; outer packets carry their underlay's place in the configuration instead. A flow's bucket is
 * the hash of its five-tuple. Routing tables are named by the same number: one per mesh index, class and group, where a group
 * is a run of buckets that turn together.
 */
export const MARK_OURS = 0x65000000;
export const MARK_OURS_MASK = 0xff000000;
const KIND_DELIVER = 0x00e00000;
export const MARK_DELIVER = MARK_OURS | KIND_DELIVER;
/** Says of what the mesh delivers here that its source is a possible one; nothing is ever sent by it. */
export const ARRIVALS_TABLE = MARK_DELIVER;
const KIND_OUTER = 0x00f00000;
export const KIND_MASK = 0xfff00000;
export const MARK_OUTER = MARK_OURS | KIND_OUTER;
export const CLASS_MASK = 0x000000c0;
/** All but the bucket. */
export const LESS_BUCKET_MASK = 0xffffffc0;
export const BUCKETS = 64;
export const MAX_MESH_INDEX = 1024;

/** A class of one group has one next hop at a time; bulk has as many shares as bucket groups. */
export const BUCKET_GROUPS: Readonly<Record<TrafficClass, number>> = { critical: 1, interactive: 1, bulk: 8 };

/** Before its packets are sorted into classes, a pair's mark says bulk, which asks for nothing. */
export const UNSORTED_CLASS = "bulk";

export const steerMark = (meshIndex: number, trafficClass: TrafficClass): number =>
  MARK_OURS | (meshIndex << 8) | (TRAFFIC_CLASSES.indexOf(trafficClass) << 6);
/** The table of one group, and which bits of a mark choose it. */
export const groupTable = (meshIndex: number, trafficClass: TrafficClass, group: number): number =>
  steerMark(meshIndex, trafficClass) | (group * (BUCKETS / BUCKET_GROUPS[trafficClass]));
export const groupMask = (trafficClass: TrafficClass): number =>
  0xffffffff - (BUCKETS / BUCKET_GROUPS[trafficClass] - 1);
/** For authorised packets that have arrived where they belong: `main` delivers them. */
export const deliverMark = (meshIndex: number): number => MARK_OURS | KIND_DELIVER | (meshIndex << 8);
export const outerMark = (underlay: number): number => MARK_OUTER | (underlay << 8);

/** Slot (10 bits) · way, that is class and group (4 bits) · destination (10 bits). */
const NEXT_HOP_FIRST = 0x45000000;
export const NEXT_HOP_LAST = 0x45ffffff;
export const isOurNextHopId = (id: number): boolean => id >= NEXT_HOP_FIRST && id <= NEXT_HOP_LAST;
export const nextHopId = (meshIndex: number, trafficClass: TrafficClass, group: number, destination: number): number =>
  NEXT_HOP_FIRST + ((meshIndex << 14) | ((TRAFFIC_CLASSES.indexOf(trafficClass) + group) << 10) | destination);

/**
 * Our block of rules. Unmarked packets jump over it and go on with whatever rules the operator has behind it, so that
 * they see two rules of ours plus one per underlay, however many meshes there are.
 */
export const RULE = {
  /** Return path of outer packets: a strict reverse-path filter looks here. */
  fromUnderlay: 6900,
  skip: 6910,
  outer: 6920,
  outerUnreachable: 6921,
  steer: 6930,
  arrivals: 6940,
  end: 6990,
} as const;

/** Unique machine-wide, because control sockets of user-space tunnels are; 15 characters, the most a name may have. */
export function deviceName(link: LinkId, attempt: number, self: RegionId): string {
  return `${DEVICE_PREFIX}${createHash("sha256").update(`${link}/${attempt}/${self}`).digest("hex").slice(0, 12)}`;
}

/** Address of one side of a link; both sides compute both. */
export function linkLocalAddress(link: LinkId, side: RegionId): string {
  const digest = createHash("sha256").update(`${link}/${side}`).digest("hex");
  const groups = digest.slice(0, 16).match(/.{4}/g) ?? [];
  // A canonical form, as `ip` prints it: no leading zeros; a digest with a zero group would print shorter.
  return `fe80::${groups.map((group) => (Number.parseInt(group, 16) || 1).toString(16)).join(":")}`;
}
