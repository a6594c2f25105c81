/**
 * What of each message leaves the process: the fields named here and no others, so that a new field stays inside until it
 * is listed. Of an own order only what its commitment shows on chain is shared; OrderRevealed has the rest.
 */
import { z } from "zod";
import type { Message } from "../coordinator/messages.ts";

/** A bigint becomes decimal text. */
const decimal = z.preprocess((value) => String(value), z.string().regex(/^\d+$/));
const place = z.object({ x: z.number(), y: z.number(), z: z.number() });
const side = z.enum(["bid", "ask"]);
const pair = z.object({ a: z.number(), b: z.number(), rttMicros: z.number() });
const receipt = z.object({
  leaseId: z.string(),
  epochs: z.number(),
  available: z.number(),
  packetsToBuyer: decimal,
  bytesToBuyer: decimal,
  packetsToSeller: decimal,
  bytesToSeller: decimal,
  worstRttMicros: z.number(),
  worstLossPpm: z.number(),
  release: z.boolean(),
  previous: z.string(),
});

type FieldsOf<T extends Message["type"]> = {
  readonly [F in Exclude<keyof Extract<Message, { type: T }>, "type">]?: z.ZodType;
};

const shared = <T extends Message["type"], F extends FieldsOf<T>>(type: T, fields: F) =>
  z.object({ type: z.literal(type), ...fields });

export const sharedMessage = z.discriminatedUnion("type", [
  shared("AuctionOpened", {
    terms: z.object({
      id: z.number(),
      mesh: z.number(),
      opener: z.number(),
      kind: z.string(),
      fabric: z.string(),
      place,
      cosine: z.number(),
      attributes: z.number(),
      latencyBoundMicros: z.number(),
      lotMbps: z.number(),
      slots: z.number(),
      earliestStartSeconds: z.number(),
      priceCap: z.number(),
      openBlock: z.number(),
      openedAtSeconds: z.number(),
      phaseBlocks: z.number(),
    }),
    eventId: z.string().nullable(),
  }),
  shared("OrderCommitted", {
    auctionId: z.number(),
    regionId: z.number(),
    index: z.number(),
    side,
    bond: decimal,
    score: z.number(),
  }),
  shared("OrderRevealed", {
    auctionId: z.number(),
    index: z.number(),
    price: z.number(),
    lots: z.number(),
    bps: z.number(),
  }),
  shared("AuctionCleared", {
    auctionId: z.number(),
    lotsTraded: z.number(),
    scaledPrice: decimal,
    atSeconds: z.number(),
  }),
  shared("LeasesGranted", {
    auctionId: z.number(),
    leases: z.array(
      z.object({
        id: z.string(),
        index: z.number(),
        seller: z.number(),
        buyer: z.number(),
        lots: z.number(),
        mbps: z.number(),
        startSeconds: z.number(),
        endSeconds: z.number(),
      }),
    ),
  }),
  shared("AuctionCancelled", { auctionId: z.number() }),
  shared("OrderCollected", { auctionId: z.number(), index: z.number(), lots: z.number() }),
  shared("LeaseSettled", {
    auctionId: z.number(),
    leaseId: z.string(),
    buyerPays: decimal,
    sellerGets: decimal,
    endSeconds: z.number(),
  }),
  shared("Draining", { draining: z.boolean() }),
  shared("EventTriggered", {
    event: z.object({
      id: z.string(),
      kind: z.string(),
      demandMbps: z.number(),
      durationSeconds: z.number(),
      topology: z.string(),
      renews: z.boolean(),
      reason: z.string(),
      requestId: z.string().nullable(),
      atSeconds: z.number(),
    }),
  }),
  shared("PeersScanned", {
    mesh: z.string(),
    peers: z.array(
      z.object({
        id: z.number(),
        name: z.string(),
        rttMicros: z.number().nullable(),
        distanceKm: z.number(),
        included: z.boolean(),
        reason: z.string(),
      }),
    ),
  }),
  shared("FabricChosen", { mesh: z.string(), fabric: z.object({ name: z.string(), reason: z.string() }) }),
  shared("PairsMeasured", { mesh: z.string(), pairs: z.array(pair), auctions: z.number() }),
  shared("EventAbandoned", { mesh: z.string(), reason: z.string() }),
  shared("EventResolved", { mesh: z.string(), reason: z.string(), atSeconds: z.number() }),
  shared("OrderPrepared", { auctionId: z.number(), order: z.object({ side, bond: decimal }) }),
  shared("OrderDeclined", { auctionId: z.number(), reason: z.string() }),
  shared("TopologyPublished", {
    meshId: z.number(),
    topology: z.object({
      mode: z.string(),
      reason: z.string(),
      requested: z.string(),
      added: z.array(
        z.object({
          a: z.number(),
          b: z.number(),
          shares: z.array(z.object({ buyer: z.number(), rateMbps: z.number() })),
        }),
      ),
      auctions: z.number(),
      publisher: z.number(),
    }),
  }),
  shared("LinkAgreed", {
    meshId: z.number(),
    link: z.object({
      linkId: z.string(),
      attempt: z.number(),
      peer: z.number(),
      underlay: z.string(),
      peerEndpoint: z.object({ address: z.string(), port: z.number() }),
      mtu: z.number(),
      transcript: z.string(),
    }),
  }),
  shared("PeerLost", { meshId: z.number(), leaseId: z.string(), reason: z.string() }),
  shared("PeerReturned", { meshId: z.number(), leaseId: z.string() }),
  shared("LinkWithdrawn", { meshId: z.number(), linkId: z.string() }),
  shared("ReceiptSigned", { meshId: z.number(), receipt }),
  shared("ReceiptCosigned", {
    meshId: z.number(),
    cosigned: z.object({ receipt, buyerSignature: z.string(), sellerSignature: z.string() }),
  }),
  shared("TeardownCosigned", { meshId: z.number(), linkId: z.string(), peerSignature: z.string() }),
  shared("MeshDissolved", {
    meshId: z.number(),
    record: z.object({
      atSeconds: z.number(),
      leftBehind: z.number(),
      links: z.array(
        z.object({
          linkId: z.string(),
          receivedBytes: z.number(),
          sentBytes: z.number(),
          peerSignature: z.string().nullable(),
        }),
      ),
    }),
  }),
]);
export type SharedMessage = z.infer<typeof sharedMessage>;

/** The part of a message that may be shown: plain JSON, amounts as decimal text. */
export function sharedPart(message: Message): SharedMessage {
  // Does not compile while a type of message is missing above.
  const { type }: { readonly type: SharedMessage["type"] } = message;
  return sharedMessage.parse({ ...message, type });
}
