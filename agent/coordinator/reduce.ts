/** State + message → state. Pure; a message that fits nothing changes nothing. The world is all meshes that this agent saw. */
import { priceOf } from "../auction/clearing.ts";
import type { BookOrder, GrantedLease } from "../auction/facts.ts";
import type { AuctionId, LeaseId, MeshId } from "../model/ids.ts";
import { type Auction, emptyMesh, linkOfLease, type Mesh } from "./mesh.ts";
import type { LocalMessage, Message } from "./messages.ts";

export interface World {
  readonly meshes: ReadonlyMap<string, Mesh>;
  /** The key of each mesh that has a number on the chain. */
  readonly keys: ReadonlyMap<MeshId, string>;
  /** Which mesh an auction belongs to. */
  readonly auctions: ReadonlyMap<AuctionId, string>;
  /** What was done here about an auction or mesh that the chain does not have, or no longer: should it come (back), it counts. */
  readonly waiting: readonly LocalMessage[];
  /** Nothing new is begun here; what runs is finished. */
  readonly draining: boolean;
}

export const emptyWorld: World = {
  meshes: new Map(),
  keys: new Map(),
  auctions: new Map(),
  waiting: [],
  draining: false,
};

/** Many messages at once: the same as one after the other, but the maps, of years maybe, are copied once. */
export function fold(world: World, messages: Iterable<Message>): World {
  const draft: Draft = {
    meshes: new Map(world.meshes),
    keys: new Map(world.keys),
    auctions: new Map(world.auctions),
    waiting: [...world.waiting],
    draining: world.draining,
  };
  for (const message of messages) take(draft, message);
  return draft;
}

/** The world after one message. */
export function reduce(world: World, message: Message): World {
  return fold(world, [message]);
}

/** A world in the making; meshes themselves never change. */
interface Draft {
  readonly meshes: Map<string, Mesh>;
  readonly keys: Map<MeshId, string>;
  readonly auctions: Map<AuctionId, string>;
  waiting: LocalMessage[];
  draining: boolean;
}

function take(draft: Draft, message: Message): void {
  if (message.type === "Draining") {
    draft.draining = message.draining;
    return;
  }
  if (isAhead(draft, message)) {
    draft.waiting.push(message);
    return;
  }
  const mesh = apply(draft, message);
  if (mesh) draft.meshes.set(mesh.key, mesh);
  if (message.type !== "AuctionOpened") return;
  const waiting = draft.waiting;
  draft.waiting = [];
  for (const each of waiting) take(draft, each);
}

/** The mesh as the message leaves it; none: it fits nothing. */
function apply(draft: Draft, message: Exclude<Message, { type: "Draining" }>): Mesh | undefined {
  switch (message.type) {
    case "EventTriggered":
      return { ...emptyMesh(message.event.id), event: message.event };
    case "AuctionOpened": {
      const { terms, eventId } = message;
      const known = draft.meshes.get(draft.keys.get(terms.mesh) ?? eventId ?? "");
      const mesh = known ?? emptyMesh(`mesh-${terms.mesh}`);
      const auction: Auction = { terms, orders: [], order: null, outcome: null, leases: [], grant: null };
      draft.auctions.set(terms.id, mesh.key);
      draft.keys.set(terms.mesh, mesh.key);
      return { ...mesh, id: terms.mesh, auctions: [...mesh.auctions, auction] };
    }
    case "PeersScanned":
      return change(draft, message.mesh, (mesh) => ({ ...mesh, peers: message.peers }));
    case "PairsMeasured":
      return change(draft, message.mesh, (mesh) => ({
        ...mesh,
        pairs: { measured: message.pairs, auctions: message.auctions },
      }));
    case "FabricChosen":
      return change(draft, message.mesh, (mesh) => ({ ...mesh, fabric: message.fabric }));
    case "EventAbandoned":
      return change(draft, message.mesh, (mesh) => ({ ...mesh, abandoned: message.reason }));
    case "EventResolved":
      return change(draft, message.mesh, (mesh) => ({
        ...mesh,
        resolved: mesh.resolved ?? { reason: message.reason, atSeconds: message.atSeconds },
      }));
    case "TopologyPublished":
      return change(draft, draft.keys.get(message.meshId), (mesh) => ({ ...mesh, topology: message.topology }));
    case "LinkAgreed":
      return change(draft, draft.keys.get(message.meshId), (mesh) => ({
        ...mesh,
        links: new Map(mesh.links).set(message.link.linkId, message.link),
        withdrawn: mesh.withdrawn.difference(new Set([message.link.linkId])),
      }));
    case "PeerLost":
      return change(draft, draft.keys.get(message.meshId), (mesh) => ({
        ...mesh,
        lost: new Set(mesh.lost).add(message.leaseId),
      }));
    case "PeerReturned":
      return change(draft, draft.keys.get(message.meshId), (mesh) => ({
        ...mesh,
        lost: mesh.lost.difference(new Set([message.leaseId])),
      }));
    case "LinkWithdrawn":
      return change(draft, draft.keys.get(message.meshId), (mesh) => ({
        ...mesh,
        withdrawn: new Set(mesh.withdrawn).add(message.linkId),
      }));
    case "LeasesGranted":
      // A mesh that was dissolved between two terms is formed again.
      return change(draft, draft.auctions.get(message.auctionId), (mesh) => ({
        ...changeAuction(withoutFormerParties(mesh, message.leases), message),
        dissolved: null,
      }));
    case "ReceiptSigned":
      return change(draft, draft.keys.get(message.meshId), (mesh) => ({
        ...mesh,
        signed: new Map(mesh.signed).set(message.receipt.leaseId as LeaseId, message.receipt),
      }));
    case "ReceiptCosigned":
      return change(draft, draft.keys.get(message.meshId), (mesh) => ({
        ...mesh,
        receipts: new Map(mesh.receipts).set(message.cosigned.receipt.leaseId as LeaseId, message.cosigned),
      }));
    case "TeardownCosigned":
      return change(draft, draft.keys.get(message.meshId), (mesh) => ({
        ...mesh,
        dissolved: mesh.dissolved && {
          ...mesh.dissolved,
          links: mesh.dissolved.links.map((link) =>
            link.linkId === message.linkId ? { ...link, peerSignature: message.peerSignature } : link,
          ),
        },
      }));
    case "MeshDissolved":
      return change(draft, draft.keys.get(message.meshId), (mesh) => ({ ...mesh, dissolved: message.record }));
    case "LeaseSettled":
      return change(draft, draft.auctions.get(message.auctionId), (mesh) => ({
        ...mesh,
        settled: new Map(mesh.settled).set(message.leaseId, {
          buyerPays: message.buyerPays,
          sellerGets: message.sellerGets,
          endSeconds: message.endSeconds,
        }),
      }));
    default:
      return change(draft, draft.auctions.get(message.auctionId), (mesh) => changeAuction(mesh, message));
  }
}

type AuctionMessage = Extract<
  Message,
  {
    type:
      | "OrderCommitted"
      | "OrderRevealed"
      | "AuctionCleared"
      | "AuctionCancelled"
      | "LeasesGranted"
      | "OrderCollected"
      | "OrderPrepared"
      | "OrderDeclined";
  }
>;

/** After a reorganisation the journal has the chain's messages after the local ones that followed from them. */
function isAhead(draft: Draft, message: Message): message is LocalMessage {
  switch (message.type) {
    case "OrderPrepared":
    case "OrderDeclined":
      return !draft.auctions.has(message.auctionId);
    case "PairsMeasured":
      return !draft.meshes.has(message.mesh);
    case "TopologyPublished":
    case "LinkAgreed":
    case "PeerLost":
    case "PeerReturned":
    case "LinkWithdrawn":
    case "ReceiptSigned":
    case "ReceiptCosigned":
    case "TeardownCosigned":
    case "MeshDissolved":
      return !draft.keys.has(message.meshId);
    default:
      return false;
  }
}

/** A lease's number may come back with another pair: what was agreed and signed under it with the former is not theirs. */
function withoutFormerParties(mesh: Mesh, granted: readonly GrantedLease[]): Mesh {
  const former = granted.filter(({ id, buyer, seller }) => {
    const link = mesh.links.get(linkOfLease(id));
    return link && link.peer !== buyer && link.peer !== seller;
  });
  if (former.length === 0) return mesh;
  const [leases, links] = [new Set(former.map(({ id }) => id)), new Set(former.map(({ id }) => linkOfLease(id)))];
  return {
    ...mesh,
    links: without(mesh.links, links),
    withdrawn: mesh.withdrawn.difference(links),
    receipts: without(mesh.receipts, leases),
    signed: without(mesh.signed, leases),
    lost: mesh.lost.difference(leases),
  };
}

function without<K, V>(map: ReadonlyMap<K, V>, keys: ReadonlySet<K>): ReadonlyMap<K, V> {
  return new Map([...map].filter(([key]) => !keys.has(key)));
}

function changeAuction(mesh: Mesh, message: AuctionMessage): Mesh {
  return {
    ...mesh,
    auctions: mesh.auctions.map((auction) =>
      auction.terms.id === message.auctionId ? reduceAuction(auction, message) : auction,
    ),
  };
}

function reduceAuction(auction: Auction, message: AuctionMessage): Auction {
  switch (message.type) {
    case "OrderPrepared":
      return { ...auction, order: auction.order ?? message.order };
    case "OrderDeclined":
      return { ...auction, order: auction.order ?? { declined: message.reason } };
    case "OrderCommitted": {
      const { index, regionId, side, bond, score } = message;
      return {
        ...auction,
        orders: [...auction.orders, { index, regionId, side, bond, score, revealed: null, collected: null }],
      };
    }
    case "OrderRevealed":
      return changeOrder(auction, message.index, {
        revealed: { price: message.price, lots: message.lots, bps: message.bps },
      });
    case "OrderCollected":
      return changeOrder(auction, message.index, { collected: { lots: message.lots } });
    case "AuctionCleared":
      return {
        ...auction,
        outcome: {
          cancelled: false,
          lotsTraded: message.lotsTraded,
          price: priceOf(message.scaledPrice),
          atSeconds: message.atSeconds,
        },
      };
    case "AuctionCancelled":
      return { ...auction, outcome: { cancelled: true } };
    case "LeasesGranted":
      return { ...auction, leases: message.leases, grant: { terms: message.terms, words: message.words } };
  }
}

function changeOrder(auction: Auction, index: number, change: Partial<BookOrder>): Auction {
  return {
    ...auction,
    orders: auction.orders.map((order) => (order.index === index ? { ...order, ...change } : order)),
  };
}

function change(draft: Draft, key: string | undefined, update: (mesh: Mesh) => Mesh): Mesh | undefined {
  const mesh = key === undefined ? undefined : draft.meshes.get(key);
  return mesh && update(mesh);
}
