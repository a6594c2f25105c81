/**
 * The messages between agent and meshd, over a Unix socket, one JSON object a line:
 * request `{id, type, body}` → reply `{id, ok: true, body}` or `{id, ok: false, error: {code, message, remedy}}`.
 * No other message is accepted; each is idempotent and names only objects of ours (docs/PROTOCOL.md).
 *
 * Times named `…MonotonicMillis` are CLOCK_MONOTONIC in milliseconds (`process.hrtime`), which both processes share and
 * which cannot be set: a lease ends on time without the agent, and if the wall clock is changed.
 */
import { z } from "zod";
import { ipAddress as address } from "./address.ts";
import { hex32, linkId, meshId, regionId } from "./ids.ts";
import { TRAFFIC_CLASSES } from "./traffic-class.ts";

const key32 = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, "32 bytes in base64");
const attempt = z.number().int().min(0).max(0xffff);
const monotonicMillis = z.number().nonnegative();
const mbps = z.number().int().positive().max(1_000_000);
/** A prefix in canonical form, IPv4 or IPv6: no host bits, e.g. `10.1.0.0/16`. */
export const prefix = z.union([z.cidrv4(), z.cidrv6()]);
const port = z.number().int().min(1).max(65535);

/** Makes the keys of one end of a link, or returns those made before for the same (link, attempt). */
export const prepareLink = z.strictObject({ linkId, attempt, underlay: z.string() });
export const preparedLink = z.strictObject({
  /** WireGuard public key of this end. */
  publicKey: key32,
  /** ML-KEM-768 encapsulation key of this end (1,184 bytes, base64): the responder encapsulates to the initiator's. */
  encapsulationKey: z.string().max(1600),
  /** UDP port of the underlay's range that is reserved for this end. */
  listenPort: port,
  /** Largest inner packet that this end's underlay carries: device MTU less 60 (IPv4) or 80 (IPv6). */
  mtu: z.number().int().min(1280).max(9000),
});

/**
 * Completes the preshared key. The initiator gives the ciphertext that it received, the responder the initiator's
 * encapsulation key and gets the ciphertext to send (the same one again if asked again). Both name the peer's keys.
 */
export const completeLink = z.strictObject({
  linkId,
  attempt,
  peerPublicKey: key32,
  /** Of the peer's endpoint: refused before anything is agreed if it is reached over the standing peering. */
  peerAddress: address,
  kem: z.discriminatedUnion("role", [
    z.strictObject({ role: z.literal("initiator"), ciphertext: z.string().max(1500) }),
    z.strictObject({ role: z.literal("responder"), encapsulationKey: z.string().max(1600) }),
  ]),
});
export const completedLink = z.strictObject({ ciphertext: z.string().max(1500).optional() });

/** What one buyer may send over a link, each way: on a leased link its lease, on an added link the smaller of its two. */
export const linkShare = z.strictObject({ buyer: regionId, rateMbps: mbps });

export const linkSpec = z.strictObject({
  linkId,
  attempt,
  peer: regionId,
  underlay: z.string(),
  peerEndpoint: z.strictObject({ address, port }),
  /** The smaller of both ends' MTU in the handshake. */
  mtu: z.number().int().min(1280).max(9000),
  shares: z.array(linkShare).min(1),
  /** Routes use the link from here … */
  startsMonotonicMillis: monotonicMillis,
  /** … until 2 s before this; the interface is removed 5 s after it. Metering epoch k is the k-th 10 s after the start. */
  notAfterMonotonicMillis: monotonicMillis,
  bounds: z.strictObject({
    maxRttMicros: z.number().int().positive(),
    maxLossPpm: z.number().int().min(0).max(1_000_000),
  }),
});
export type LinkSpec = z.infer<typeof linkSpec>;

/** A direction of traffic that the mesh may carry, between registered prefixes of two participants. */
export const meshPair = z.strictObject({
  source: prefix,
  destination: prefix,
  /** Region that holds the destination prefix. */
  destinationRegion: regionId,
  sourceRegion: regionId,
  /** Region whose leases pay for the flow. */
  buyer: regionId,
});
export type MeshPair = z.infer<typeof meshPair>;

export const meshSpec = z.strictObject({
  meshId,
  self: regionId,
  /** Prefixes and routing keys as registered on chain: never learned from a peer (INV-9). */
  participants: z
    .array(z.strictObject({ regionId, routingKey: hex32, prefixes: z.array(prefix) }))
    .min(2)
    .max(512),
  /** The wanted links of this region: all others of the mesh are removed. */
  links: z.array(linkSpec).max(512),
  pairs: z.array(meshPair).max(65_536),
  /** Regions that each buyer's paths may lead through: itself and the sellers of its leases. */
  transit: z.array(
    z.strictObject({
      buyer: regionId,
      regions: z.array(regionId),
      /** Attributes that every link of a path must have; constraints on regions are applied by leaving them out. */
      require: z.array(z.enum(["postQuantum"])).optional(),
    }),
  ),
  fallback: z.enum(["peering", "drop"]),
  /** Highest clearing price of its auctions, in millionths of a price unit per Mbit/s and slot: decides between two meshes with the same pair. */
  microPricePerMbps: z.number().int().nonnegative(),
});
export type MeshSpec = z.infer<typeof meshSpec>;

export const applyMesh = z.strictObject({ mesh: meshSpec });
export const removeMesh = z.strictObject({ meshId });
export const empty = z.strictObject({});

const count = z.number().int().nonnegative();

/** Reasons to refuse a peer's link-state advertisement. A duplicate of the newest one is not refused. */
export const REFUSAL_REASONS = [
  "malformed",
  "otherMesh",
  "unknownOrigin",
  "badSignature",
  "outdated",
  "rateLimited",
] as const;

/** A link's health as measured by probes inside it. `waiting`: probes have not arrived both ways yet. */
export const linkMeasurement = z.strictObject({
  linkId,
  attempt,
  peer: regionId,
  device: z.string(),
  /** Link-local addresses of both ends, in the scope of the device. */
  ownAddress: z.ipv6(),
  peerAddress: z.ipv6(),
  state: z.enum(["waiting", "up", "down"]),
  sinceMonotonicMillis: monotonicMillis,
  rttMicros: z.number().int().nullable(),
  baseRttMicros: z.number().int().nullable(),
  jitterMicros: z.number().int().nullable(),
  lossForwardPpm: z.number().int().nullable(),
  lossReversePpm: z.number().int().nullable(),
  /** Capacity observed under load within the last minute, if it is less than what is leased. */
  shortageKbps: z.number().int().nullable(),
  /** Advertisements from this neighbour that were refused since meshd has the mesh. */
  refusedAdvertisements: count,
});
export const chosenRoute = z.strictObject({
  destination: regionId,
  buyer: regionId,
  trafficClass: z.enum(TRAFFIC_CLASSES),
  /** From the next hop to the destination, as this node computes it; empty: no path, so the mesh's `fallback` applies. */
  path: z.array(regionId),
  costMicros: z.number().int().nullable(),
  /** Traffic is shared in proportion to the weights; more than one next hop where bulk is spread. */
  nextHops: z.array(z.strictObject({ region: regionId, weight: z.number().int().positive() })),
  /** Next hop of the loop-free alternate, used the instant a single path loses its link. */
  backup: regionId.nullable(),
  reason: z.string(),
});
export const routeChange = z.strictObject({ atMonotonicMillis: monotonicMillis, what: z.string(), reason: z.string() });
export const measurements = z.strictObject({
  meshes: z.array(
    z.strictObject({
      meshId,
      links: z.array(linkMeasurement),
      routes: z.array(chosenRoute),
      /** Advertisements that were refused since meshd has this mesh, from all neighbours, by reason. */
      refusedAdvertisements: z.record(z.enum(REFUSAL_REASONS), count),
      /** The most recent 100, oldest first. */
      changes: z.array(routeChange),
    }),
  ),
});
export type Measurements = z.infer<typeof measurements>;

/** Packets that this end of a link dropped; all but `interface` are read at most every 5 s. */
export const droppedPackets = z.strictObject({
  /** The interface itself, both directions. */
  interface: count,
  /** The shaper: more was sent than the lease carries. */
  shaper: count,
  /** The policer: more was received than the lease carries. */
  policer: count,
  /** Received without an authorised pair of prefixes (INV-9). */
  unauthorised: count,
  /** In transit and about to leave the mesh, or not of the mesh and about to enter it. */
  strayed: count,
  /** Received for this router itself, other than probes and the control channel. */
  toRouter: count,
});
export type DroppedPackets = z.infer<typeof droppedPackets>;

/** Cumulative since the interface came up; `droppedPackets` since meshd started, if that is later. Inner IP bytes. */
export const linkCounter = z.strictObject({
  linkId,
  attempt,
  receivedPackets: z.number().int(),
  receivedBytes: z.number().int(),
  sentPackets: z.number().int(),
  sentBytes: z.number().int(),
  droppedPackets,
  /** The metering epochs that are over, at most the last 400: how many probes were due and how many met the bounds. */
  epochs: z.array(
    z.strictObject({
      epoch: z.number().int().min(0),
      probes: z.number().int(),
      met: z.number().int(),
      worstRttMicros: z.number().int(),
      worstLossPpm: z.number().int(),
    }),
  ),
});
export const counters = z.strictObject({ links: z.array(linkCounter) });
export type Counters = z.infer<typeof counters>;

/** meshd's objects in the kernel, read when asked; for `status`, `doctor` and the teardown record. */
export const snapshot = z.strictObject({
  meshes: z.array(meshId),
  devices: z.array(z.string()),
  rules: z.number().int(),
  routes: z.number().int(),
  nextHops: z.number().int(),
  nftTables: z.array(z.string()),
  /** Whether tunnels are made by the kernel or by wireguard-go. */
  wireguard: z.enum(["kernel", "userspace"]),
});

export const heartbeat = z.strictObject({ uptimeMillis: z.number(), version: z.string() });

/** Request and reply of each message. */
export const meshdMessages = {
  prepareLink: { request: prepareLink, reply: preparedLink },
  completeLink: { request: completeLink, reply: completedLink },
  applyMesh: { request: applyMesh, reply: empty },
  removeMesh: { request: removeMesh, reply: empty },
  snapshot: { request: empty, reply: snapshot },
  counters: { request: empty, reply: counters },
  measurements: { request: empty, reply: measurements },
  heartbeat: { request: empty, reply: heartbeat },
} as const;
export type MeshdMessage = keyof typeof meshdMessages;

export const meshdRequest = z.strictObject({
  id: z.number().int(),
  type: z.enum(Object.keys(meshdMessages) as [MeshdMessage, ...MeshdMessage[]]),
  body: z.unknown(),
});
export const meshdReply = z.discriminatedUnion("ok", [
  z.strictObject({ id: z.number().int(), ok: z.literal(true), body: z.unknown() }),
  z.strictObject({
    id: z.number().int(),
    ok: z.literal(false),
    error: z.strictObject({ code: z.string(), message: z.string(), remedy: z.string() }),
  }),
]);

/** The part of the configuration that meshd gets. */
export const meshdConfig = z.strictObject({
  region: z.string(),
  routingKeyFile: z.string(),
  /** meshd's own directory, for the incarnation. */
  stateDir: z.string(),
  socket: z.string(),
  underlays: z.array(
    z.strictObject({
      name: z.string(),
      device: z.string(),
      address,
      gateway: address.optional(),
      portFirst: port,
      portLast: port,
    }),
  ),
  /** Devices of the standing peering: never changed, never an underlay. */
  primaryDevices: z.array(z.string()),
  probeMillis: z.number().int().min(50).max(1000),
  logLevel: z.enum(["error", "warn", "info", "debug"]),
});
export type MeshdConfig = z.infer<typeof meshdConfig>;
