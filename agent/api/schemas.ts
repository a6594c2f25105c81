/**
 * The API's answers: the schemas of the OpenAPI document, from which the types of the views are inferred. Amounts are
 * decimal text, because they can exceed what JSON's numbers hold exactly.
 */
import { z } from "zod";
import type { MeshPhase } from "../coordinator/mesh.ts";
import { receiptOnWire } from "../lease/receipt-wire.ts";
import { EVENT_KINDS } from "../model/event.ts";
import { auctionId, hex32, leaseId, linkId, meshId, regionId } from "../model/ids.ts";
import { chosenRoute, droppedPackets, linkMeasurement, REFUSAL_REASONS, routeChange } from "../model/meshd-messages.ts";
import { REQUESTED_TOPOLOGIES, TOPOLOGY_MODES } from "../model/topology-mode.ts";
import { sharedMessage } from "./shared-messages.ts";

const integer = z.number().int();
const natural = integer.nonnegative();
const decimal = z.string().regex(/^\d+$/).describe("A whole number as decimal text.");
const priceUnits = decimal.describe("An amount in price units, as decimal text.");
const unixSeconds = z.number().describe("Unix time in seconds.");
const regionName = z.string().describe("Name of a region.");
const address = z.string().describe("Address of an account or a contract, 0x and 40 hexadecimal digits.");
const eventKind = z.enum(EVENT_KINDS);
const phase = z.enum([
  "scanning",
  "buying",
  "trading",
  "forming",
  "running",
  "dissolving",
  "settling",
  "over",
] as const satisfies readonly MeshPhase[]);

export const errorAnswer = z.object({
  code: z.string().describe("Stable code; docs/ERRORS.md lists all."),
  message: z.string().describe("What happened, and what was left untouched."),
  remedy: z.string().describe("What to do next."),
});
export type ErrorAnswer = z.infer<typeof errorAnswer>;

export const healthAnswer = z.object({ live: z.literal(true) });

export const readinessAnswer = z.object({
  ready: z.boolean().describe("The chain answers and its time is known."),
  chain: z.boolean().describe("An RPC node answers."),
});

export const statusAnswer = z.object({
  region: regionName,
  regionId,
  chain: z.object({
    reachable: z.boolean(),
    block: natural.describe("Number of the last block read."),
    chainId: natural,
    headAgeSeconds: natural
      .nullable()
      .describe("How long the newest block has been the newest; null: none was seen since the start."),
    nodes: z
      .array(
        z.object({
          url: z.string().describe("Without user name, password and query."),
          answering: z.boolean().nullable().describe("Null: not asked yet."),
          sinceSeconds: natural.describe("How long `answering` has had this value."),
          problem: z.string().nullable().describe("Of the last failure, while the node does not answer."),
          head: natural.nullable().describe("The newest block that the node named."),
        }),
      )
      .describe("The RPC nodes of the configuration (chain.rpc)."),
  }),
  meshd: z.object({
    versionMismatch: z.string().nullable().describe("Set while agent and meshd run different versions."),
    links: natural.describe("Links that exist."),
    up: natural.describe("Links whose probes are answered."),
    refusedAdvertisements: z
      .partialRecord(z.enum(REFUSAL_REASONS), natural)
      .describe("Advertisements of peers that were refused, by reason, of the meshes that run."),
    droppedPackets: droppedPackets.partial().describe("Packets that this region's ends of links dropped, by reason."),
  }),
  control: z.object({
    refusedMessages: z
      .record(z.string(), natural)
      .describe("Control messages of peers that were refused since the start, by code (docs/ERRORS.md)."),
  }),
  draining: z.boolean().describe("Nothing new is started."),
  meshes: z.array(z.object({ key: z.string(), id: meshId.nullable(), phase })),
});
export type StatusAnswer = z.infer<typeof statusAnswer>;

export const scannedPeer = z.object({
  id: regionId,
  name: regionName,
  rttMicros: natural.nullable().describe("Shortest round trip measured, in microseconds; null without an answer."),
  distanceKm: natural,
  included: z.boolean().describe("Whether this region can trade with it."),
  reason: z.string(),
});

export const regionAnswer = z.object({
  id: regionId,
  name: regionName,
  active: z.boolean().describe("False while the consortium suspends the region."),
  prefixes: z.array(z.string()),
  fabrics: z.array(z.string()),
  score: natural.describe("Today's score, of 1,000,000."),
});
export type RegionAnswer = z.infer<typeof regionAnswer>;

export const auctionAnswer = z.object({
  auctionId,
  meshId,
  event: z.string().nullable().describe("Key of this region's event; null if another region opened the auction."),
  opener: regionName,
  kind: eventKind,
  fabric: z.string(),
  lotMbps: natural.describe("Size of a lot in Mbit/s."),
  slots: natural.describe("Term of the leases, in slots of 60 s."),
  priceCap: natural.describe("Highest price of a lot for one slot, in price units."),
  commitUntilBlock: natural,
  revealUntilBlock: natural,
  orders: z.array(
    z.object({
      index: natural,
      region: regionName,
      side: z.enum(["bid", "ask"]),
      bond: priceUnits,
      score: natural.describe("Score at the commitment, of 1,000."),
      price: natural.nullable().describe("Price of a lot for one slot in price units; null until revealed."),
      lots: natural.nullable().describe("Null until revealed."),
      won: natural.nullable().describe("Lots won; null until collected."),
    }),
  ),
  ownOrder: z
    .union([
      z.object({ declined: z.string().describe("Why this region placed no order.") }),
      z.object({ reasons: z.array(z.string()).describe("Why this price and not more lots.") }),
      z.object({ sealed: z.literal(true).describe("Committed and not revealed yet.") }),
    ])
    .nullable(),
  outcome: z.enum(["open", "cancelled", "no trade", "cleared"]),
  price: natural.nullable().describe("Clearing price of a lot for one slot, in price units."),
  lotsTraded: natural.nullable(),
});
export type AuctionAnswer = z.infer<typeof auctionAnswer>;

export const leaseAnswer = z.object({
  leaseId,
  meshId: meshId.nullable(),
  buyer: regionName,
  seller: regionName,
  mbps: natural.describe("Capacity each way, in Mbit/s."),
  startSeconds: unixSeconds,
  startsMonotonicMillis: z
    .number()
    .nullable()
    .describe("The start on this machine's CLOCK_MONOTONIC, in milliseconds; null for a lease long over."),
  endSeconds: unixSeconds,
  receipt: z
    .object({
      epochs: natural.describe("Epochs of 10 s that the last receipt covers."),
      availableSeconds: natural,
      bytesToBuyer: decimal,
      bytesToSeller: decimal,
      release: z.boolean().describe("Both sides agreed to end the lease there."),
    })
    .nullable(),
  settled: z.object({ buyerPays: priceUnits, sellerGets: priceUnits }).nullable(),
});
export type LeaseAnswer = z.infer<typeof leaseAnswer>;

const party = z.object({ name: regionName, agentKey: address });

export const leaseReceipts = z.object({
  leaseId,
  meshId: natural,
  chainId: natural,
  escrow: address,
  buyer: party,
  seller: party,
  mbps: natural,
  startSeconds: unixSeconds,
  endSeconds: unixSeconds,
  receipts: z.array(
    z.object({
      receipt: z.object({
        ...receiptOnWire.shape,
        packetsToBuyer: decimal,
        bytesToBuyer: decimal,
        packetsToSeller: decimal,
        bytesToSeller: decimal,
        leaseId: hex32,
        previous: hex32,
      }),
      buyerSignature: z.string(),
      sellerSignature: z.string(),
    }),
  ),
});
export type LeaseReceipts = z.infer<typeof leaseReceipts>;

export const triggeredEvent = z.object({
  id: z.string().describe("Key of the event and of its mesh."),
  kind: eventKind,
  demandMbps: natural,
  durationSeconds: natural,
  topology: z.enum(REQUESTED_TOPOLOGIES),
  renews: z.boolean().describe("The capacity is bought again before the term ends."),
  reason: z.string().describe("Who or what started the event."),
  requestId: z.string().nullable(),
  atSeconds: unixSeconds,
});

const fabricChoice = z.object({ name: z.string(), reason: z.string() }).describe("Fabric of the auction, and why.");

const linkIdentity = z.object({
  linkId,
  peer: regionName,
  peerRegion: regionId,
  endpoint: z.object({ address: z.string(), port: natural }),
  mtu: natural.describe("Largest inner packet, in bytes."),
  transcript: hex32.describe("Hash of the handshake."),
  droppedPackets: droppedPackets
    .nullable()
    .describe("Packets that this end dropped, by reason; null before the link was first counted."),
});

export const meshAnswer = z.object({
  key: z.string(),
  meshId: meshId.nullable().describe("Number of its first auction; null before that."),
  phase,
  event: triggeredEvent.nullable(),
  abandoned: z.string().nullable().describe("Why the event buys nothing, or nothing more."),
  resolved: z.object({ reason: z.string(), atSeconds: unixSeconds }).nullable(),
  peers: z.array(scannedPeer).nullable(),
  fabric: fabricChoice.nullable().describe("Fabric of the newest auction, and why; null if another region opens it."),
  topology: z
    .object({
      mode: z.enum(TOPOLOGY_MODES),
      reason: z.string(),
      publisher: regionName,
      added: z.array(z.object({ a: regionName, b: regionName })).describe("Links beside the leased ones."),
    })
    .nullable(),
  links: z.array(
    z.discriminatedUnion("state", [
      z.object({ ...linkMeasurement.shape, ...linkIdentity.shape }),
      z.object({ state: z.literal("gone"), attempt: natural, ...linkIdentity.shape }),
    ]),
  ),
  routes: z.array(
    z.object({
      ...chosenRoute.shape,
      destinationName: regionName,
      buyerName: regionName,
      pathNames: z.array(regionName).describe("Regions up to the destination; empty: the standing peering."),
      nextHopNames: z.array(z.object({ name: regionName, weight: natural })),
      backupName: regionName.nullable(),
    }),
  ),
  refusedAdvertisements: z
    .record(z.enum(REFUSAL_REASONS), natural)
    .nullable()
    .describe("Advertisements of peers that were refused, by reason; null while meshd does not have the mesh."),
  changes: z.array(routeChange).describe("The most recent changes of routes, oldest first."),
  dissolved: z
    .object({
      atSeconds: unixSeconds,
      leftBehind: natural.describe("Objects in the kernel that could not be removed."),
      links: z.array(
        z.object({
          linkId,
          receivedBytes: natural,
          sentBytes: natural,
          peerSignature: z.string().nullable().describe("The peer's signature of the teardown record."),
        }),
      ),
    })
    .nullable(),
});
export type MeshAnswer = z.infer<typeof meshAnswer>;

export const loggedEvent = z.object({
  id: natural.describe("Increases by one; `since` and Last-Event-ID refer to it."),
  at: z.iso.datetime(),
  monotonicMillis: z.number(),
  message: sharedMessage,
});
export type LoggedEvent = z.infer<typeof loggedEvent>;

export const triggerAnswer = z.object({
  event: triggeredEvent,
  demandReason: z.string().describe("How the demand follows from the request."),
});
export type TriggerAnswer = z.infer<typeof triggerAnswer>;

export const dryRunAnswer = z.object({
  ...triggerAnswer.shape,
  peers: z.array(scannedPeer),
  fabric: fabricChoice,
  terms: z.object({ lotMbps: natural, slots: natural, priceCap: natural }).describe("Terms of the auction."),
  bid: z.union([
    z.object({ declined: z.string() }),
    z.object({
      price: natural.describe("Price of a lot for one slot, in price units."),
      lots: natural,
      boostBps: natural,
      bond: priceUnits,
      reasons: z.array(z.string()),
    }),
  ]),
  maxCost: priceUnits,
  interfaces: z.array(
    z.object({ peer: regionName, devicePrefix: z.string().describe("Its name begins so; one for each lease.") }),
  ),
  routes: z.array(z.object({ source: z.string(), destination: z.string(), via: regionName })),
});
export type DryRunAnswer = z.infer<typeof dryRunAnswer>;

export const drainAnswer = z.object({ draining: z.boolean() });

export const downAnswer = z.object({ ending: z.array(z.string()).describe("Keys of the events that end.") });
export type DownAnswer = z.infer<typeof downAnswer>;
