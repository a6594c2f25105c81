/**
 * The marks by which meshd's objects in the kernel are recognised, also for cleanup. Objects without one of these marks
 * are not ours, and are never changed.
 */
import { createHash } from "node:crypto";
import type { LinkId, RegionId } from "../../model/ids.ts";
import { TRAFFIC_CLASSES, type TrafficClass } from "../../model/traffic-class.ts";

/** Routing protocol number of our rules, routes and next-hop objects. */
export const PROTOCOL = 69;
export const NFT_TABLE = "ephemesh";
/** Of the names of our interfaces; our nftables table ignores packets of others. */
export const DEVICE_PREFIX = "eph";
/** Regular expression of our interfaces' names, for use in a longer one. */
export const DEVICE = `${DEVICE_PREFIX}[0-9a-f]{12}`;
export const DEVICE_PATTERN = new RegExp(`^${DEVICE}$`);

/** UDP port inside an ENI (ephemeral network interface): probes and link state. */
export const PROBE_PORT = 7359;

/**
 * A firewall mark of ours: `65` · kind (4 bits) · mesh index (12 bits) · class (2 bits) · bucket (6 bits). A mesh index is
 * the number of one buyer in one mesh; outer packets have the index of their underlay in the configuration instead. A
 * flow's bucket is the hash of its five-tuple. Routing tables have the same numbers: one per mesh index, class and bucket
 * group, which is a range of buckets that share a next hop.
 */
export const MARK_OURS = 0x65000000;
export const MARK_OURS_MASK = 0xff000000;
const KIND_DELIVER = 0x00e00000;
export const MARK_DELIVER = MARK_OURS | KIND_DELIVER;
/** For the reverse-path check of packets that the mesh delivers here; no packet is sent by it. */
export const ARRIVALS_TABLE = MARK_DELIVER;
const KIND_OUTER = 0x00f00000;
export const KIND_MASK = 0xfff00000;
export const MARK_OUTER = MARK_OURS | KIND_OUTER;
export const CLASS_MASK = 0x000000c0;
/** Everything but the bucket. */
export const LESS_BUCKET_MASK = 0xffffffc0;
export const BUCKETS = 64;
export const MAX_MESH_INDEX = 1024;

/** How many bucket groups a class has: with one it uses a single path, with more it can be spread. */
export const BUCKET_GROUPS: Readonly<Record<TrafficClass, number>> = { critical: 1, interactive: 1, bulk: 8 };

/** Packets are marked as bulk until they are classified. */
export const UNCLASSIFIED_CLASS = "bulk";

/** Mark of packets that the mesh carries, with bucket 0; also the first table of the class. */
export const steerMark = (meshIndex: number, trafficClass: TrafficClass): number =>
  MARK_OURS | (meshIndex << 8) | (TRAFFIC_CLASSES.indexOf(trafficClass) << 6);
/** The table of one bucket group, and the bits of a mark that select it. */
export const groupTable = (meshIndex: number, trafficClass: TrafficClass, group: number): number =>
  steerMark(meshIndex, trafficClass) | (group * (BUCKETS / BUCKET_GROUPS[trafficClass]));
/** The bits of a mark that select the table of one bucket group. */
export const groupMask = (trafficClass: TrafficClass): number =>
  0xffffffff - (BUCKETS / BUCKET_GROUPS[trafficClass] - 1);
/** For authorised packets that arrived in their destination region: `main` delivers them. */
export const deliverMark = (meshIndex: number): number => MARK_OURS | KIND_DELIVER | (meshIndex << 8);
/** Mark of outer packets, and number of their table. @param underlay index in the configuration */
export const outerMark = (underlay: number): number => MARK_OUTER | (underlay << 8);

/** Mesh index (10 bits) · class and bucket group (4 bits) · destination (10 bits). */
const NEXT_HOP_FIRST = 0x45000000;
export const NEXT_HOP_LAST = 0x45ffffff;
/** Whether the id is in our range; another program may use one of it too. */
export const isOurNextHopId = (id: number): boolean => id >= NEXT_HOP_FIRST && id <= NEXT_HOP_LAST;
/** Id of the next-hop object of one bucket group. @param destination its index, 0 to 1023 */
export const nextHopId = (meshIndex: number, trafficClass: TrafficClass, group: number, destination: number): number =>
  NEXT_HOP_FIRST + ((meshIndex << 14) | ((TRAFFIC_CLASSES.indexOf(trafficClass) + group) << 10) | destination);

/**
 * Priorities of our rules. Packets without our mark skip ours and go on with the operator's later rules: they evaluate
 * two of our rules plus one per underlay of their family, however many meshes there are.
 */
export const RULE = {
  /** Return path of outer packets, for a strict reverse-path filter. */
  fromUnderlay: 6900,
  skip: 6910,
  outer: 6920,
  outerUnreachable: 6921,
  steer: 6930,
  arrivals: 6940,
  end: 6990,
} as const;

/** Unique on the machine, as control sockets of user-space tunnels must be; 15 characters, the longest possible name. */
export function deviceName(link: LinkId, attempt: number, self: RegionId): string {
  return `${DEVICE_PREFIX}${createHash("sha256").update(`${link}/${attempt}/${self}`).digest("hex").slice(0, 12)}`;
}

/** Link-local address of one end of a link; both ends compute both. */
export function linkLocalAddress(link: LinkId, side: RegionId): string {
  const digest = createHash("sha256").update(`${link}/${side}`).digest("hex");
  const groups = digest.slice(0, 16).match(/.{4}/g) ?? [];
  // In the form that `ip` prints: no leading zeros, and no zero group, which would be shortened.
  return `fe80::${groups.map((group) => (Number.parseInt(group, 16) || 1).toString(16)).join(":")}`;
}
