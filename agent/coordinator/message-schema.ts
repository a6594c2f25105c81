/** What the journal's messages must look like when they are read again; the types are in messages.ts. */
import { z } from "zod";
import { SIDES } from "../auction/commitment.ts";
import { EVENT_KINDS } from "../model/event.ts";
import { auctionId, hex32, leaseId, linkId, meshId, regionId } from "../model/ids.ts";
import { REQUESTED_TOPOLOGIES, TOPOLOGY_MODES } from "../model/topology-mode.ts";
import type { Message } from "./messages.ts";

const count = z.number().int().min(0);
const seconds = z.number().min(0);
const hex = z.templateLiteral(["0x", z.string().regex(/^([0-9a-fA-F]{2})*$/)]);
const side = z.enum(SIDES);
const topologyMode = z.enum(TOPOLOGY_MODES);
const requestedMode = z.enum(REQUESTED_TOPOLOGIES);
const place = z.strictObject({ x: z.number(), y: z.number(), z: z.number() });
const pair = z.strictObject({ a: regionId, b: regionId, rttMicros: z.number().min(0) });

const event = z.strictObject({
  id: z.string().min(1),
  kind: z.enum(EVENT_KINDS),
  demandMbps: z.number().positive(),
  durationSeconds: z.number().positive(),
  topology: requestedMode,
  renews: z.boolean(),
  reason: z.string(),
  requestId: z.string().nullable(),
  atSeconds: seconds,
});

const auctionTerms = z.strictObject({
  id: auctionId,
  mesh: meshId,
  opener: regionId,
  kind: z.enum(EVENT_KINDS),
  fabric: z.string(),
  place,
  cosine: z.number(),
  attributes: count,
  latencyBoundMicros: count,
  lotMbps: count,
  slots: count,
  earliestStartSeconds: seconds,
  priceCap: count,
  openBlock: count,
  openedAtSeconds: seconds,
  phaseBlocks: count,
});

const preparedOrder = z.strictObject({
  side,
  price: count,
  lots: count,
  boostBps: count,
  bond: z.bigint(),
  salt: hex32,
  commitment: hex32,
  reasons: z.array(z.string()),
});

const scannedPeer = z.strictObject({
  id: regionId,
  name: z.string(),
  rttMicros: z.number().nullable(),
  distanceKm: z.number().min(0),
  included: z.boolean(),
  reason: z.string(),
});

const grantedLease = z.strictObject({
  id: leaseId,
  index: count,
  seller: regionId,
  buyer: regionId,
  lots: count,
  mbps: count,
  startSeconds: seconds,
  endSeconds: seconds,
});

const agreedLink = z.strictObject({
  linkId,
  attempt: count,
  peer: regionId,
  underlay: z.string(),
  peerEndpoint: z.strictObject({ address: z.string(), port: count }),
  mtu: count,
  transcript: hex32,
});

const publishedTopology = z.strictObject({
  mode: topologyMode,
  reason: z.string(),
  requested: requestedMode,
  pairs: z.array(pair),
  added: z.array(
    z.strictObject({
      a: regionId,
      b: regionId,
      shares: z.array(z.strictObject({ buyer: regionId, rateMbps: z.number() })),
    }),
  ),
  auctions: count,
  leases: hex32,
  publisher: regionId,
  signature: hex,
});

const receipt = z.strictObject({
  leaseId: hex32,
  epochs: count,
  available: count,
  packetsToBuyer: z.bigint(),
  bytesToBuyer: z.bigint(),
  packetsToSeller: z.bigint(),
  bytesToSeller: z.bigint(),
  worstRttMicros: count,
  worstLossPpm: count,
  release: z.boolean(),
  previous: hex32,
});

const teardownRecord = z.strictObject({
  atSeconds: seconds,
  links: z.array(z.strictObject({ linkId, receivedBytes: count, sentBytes: count, peerSignature: hex.nullable() })),
  leftBehind: count,
});

const schemas = {
  AuctionOpened: z.strictObject({
    type: z.literal("AuctionOpened"),
    terms: auctionTerms,
    eventId: z.string().nullable(),
  }),
  OrderCommitted: z.strictObject({
    type: z.literal("OrderCommitted"),
    auctionId,
    regionId,
    index: count,
    side,
    bond: z.bigint(),
    score: count,
  }),
  OrderRevealed: z.strictObject({
    type: z.literal("OrderRevealed"),
    auctionId,
    index: count,
    price: count,
    lots: count,
    bps: count,
  }),
  AuctionCleared: z.strictObject({
    type: z.literal("AuctionCleared"),
    auctionId,
    lotsTraded: count,
    scaledPrice: z.bigint(),
    atSeconds: seconds,
  }),
  LeasesGranted: z.strictObject({
    type: z.literal("LeasesGranted"),
    auctionId,
    terms: z.strictObject({ startSeconds: seconds, slots: count, lotMbps: count, price: count, week: count }),
    words: z.array(z.bigint()),
    leases: z.array(grantedLease),
  }),
  AuctionCancelled: z.strictObject({ type: z.literal("AuctionCancelled"), auctionId }),
  OrderCollected: z.strictObject({ type: z.literal("OrderCollected"), auctionId, index: count, lots: count }),
  LeaseSettled: z.strictObject({
    type: z.literal("LeaseSettled"),
    auctionId,
    leaseId,
    buyerPays: z.bigint(),
    sellerGets: z.bigint(),
    endSeconds: seconds,
  }),
  Draining: z.strictObject({ type: z.literal("Draining"), draining: z.boolean() }),
  EventTriggered: z.strictObject({ type: z.literal("EventTriggered"), event }),
  PeersScanned: z.strictObject({ type: z.literal("PeersScanned"), mesh: z.string(), peers: z.array(scannedPeer) }),
  PairsMeasured: z.strictObject({
    type: z.literal("PairsMeasured"),
    mesh: z.string(),
    pairs: z.array(pair),
    auctions: count,
  }),
  FabricChosen: z.strictObject({
    type: z.literal("FabricChosen"),
    mesh: z.string(),
    fabric: z.strictObject({ name: z.string(), reason: z.string() }),
  }),
  EventAbandoned: z.strictObject({ type: z.literal("EventAbandoned"), mesh: z.string(), reason: z.string() }),
  EventResolved: z.strictObject({
    type: z.literal("EventResolved"),
    mesh: z.string(),
    reason: z.string(),
    atSeconds: seconds,
  }),
  OrderPrepared: z.strictObject({ type: z.literal("OrderPrepared"), auctionId, order: preparedOrder }),
  OrderDeclined: z.strictObject({ type: z.literal("OrderDeclined"), auctionId, reason: z.string() }),
  TopologyPublished: z.strictObject({ type: z.literal("TopologyPublished"), meshId, topology: publishedTopology }),
  LinkAgreed: z.strictObject({ type: z.literal("LinkAgreed"), meshId, link: agreedLink }),
  PeerLost: z.strictObject({ type: z.literal("PeerLost"), meshId, leaseId, reason: z.string() }),
  PeerReturned: z.strictObject({ type: z.literal("PeerReturned"), meshId, leaseId }),
  LinkWithdrawn: z.strictObject({ type: z.literal("LinkWithdrawn"), meshId, linkId }),
  ReceiptSigned: z.strictObject({ type: z.literal("ReceiptSigned"), meshId, receipt }),
  ReceiptCosigned: z.strictObject({
    type: z.literal("ReceiptCosigned"),
    meshId,
    cosigned: z.strictObject({ receipt, buyerSignature: hex, sellerSignature: hex }),
  }),
  TeardownCosigned: z.strictObject({ type: z.literal("TeardownCosigned"), meshId, linkId, peerSignature: hex }),
  MeshDissolved: z.strictObject({ type: z.literal("MeshDissolved"), meshId, record: teardownRecord }),
} satisfies { readonly [T in Message["type"]]: z.ZodType<Extract<Message, { type: T }>> };

const schemaOf: { readonly [type: string]: z.ZodType<Message> } = schemas;

/** Checks a message of the journal, in the current version (journal/schema.ts). @returns what is wrong, or the message */
export function parseMessage(body: unknown): Message | { readonly problem: string } {
  const type = String((body as { type?: unknown } | null)?.type);
  const schema = Object.hasOwn(schemaOf, type) ? schemaOf[type] : undefined;
  if (!schema) return { problem: `the message type "${type}" is unknown` };
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return { problem: `${type}.${issue?.path.join(".")}: ${issue?.message}` };
}
