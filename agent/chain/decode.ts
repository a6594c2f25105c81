/** From a contract's event to a message of the coordinator; null for events that no mesh's life depends on. */
import { decodeEventLog, type Hex, type Log } from "viem";
import { SIDES } from "../auction/commitment.ts";
import type { ChainMessage, GrantedLease } from "../auction/facts.ts";
import { leaseIdOf, unpackLease } from "../auction/leases.ts";
import { EVENT_KINDS } from "../model/event.ts";
import { auctionId, leaseId, meshId, regionId } from "../model/ids.ts";
import { SLOT_SECONDS } from "../model/market.ts";
import { capacityAuctionAbi } from "./abi/capacity-auction.ts";
import { leaseEscrowAbi } from "./abi/lease-escrow.ts";

export interface DecodeContext {
  /** The event of ours that a journaled opening transaction serves. */
  eventOfTransaction(hash: Hex): string | null;
  /** By its number in the register; empty where there is none. */
  fabricName(index: number): Promise<string>;
  blockSeconds(blockNumber: bigint): Promise<number>;
}

const ABI = [...capacityAuctionAbi, ...leaseEscrowAbi] as const;

export async function decodeEvent(log: Log, context: DecodeContext): Promise<ChainMessage | null> {
  let event: ReturnType<typeof decode>;
  try {
    event = decode(log);
  } catch {
    // Membership's events, and those of a later release: the register is read whole, and what is unknown moves nothing.
    return null;
  }
  switch (event.eventName) {
    case "AuctionOpened": {
      const a = event.args;
      const { terms } = a;
      return {
        type: "AuctionOpened",
        eventId: context.eventOfTransaction(log.transactionHash ?? "0x"),
        terms: {
          id: auctionId.parse(a.auctionId),
          mesh: meshId.parse(a.mesh),
          opener: regionId.parse(a.opener),
          kind: EVENT_KINDS[terms.kind] ?? "custom",
          fabric: await context.fabricName(terms.fabric),
          place: a.place,
          cosine: terms.cosine,
          attributes: terms.attributes,
          latencyBoundMicros: terms.latencyBoundMicros,
          lotMbps: terms.lotMbps,
          slots: terms.slots,
          earliestStartSeconds: terms.earliestStart,
          priceCap: terms.priceCap,
          openBlock: Number(log.blockNumber),
          openedAtSeconds: a.openedAt,
          phaseBlocks: a.phaseBlocks,
        },
      };
    }
    case "OrderCommitted": {
      const a = event.args;
      return {
        type: "OrderCommitted",
        auctionId: auctionId.parse(a.auctionId),
        regionId: regionId.parse(a.regionId),
        index: a.index,
        side: SIDES[a.side] ?? "bid",
        bond: a.bond,
        score: a.score,
      };
    }
    case "OrderRevealed": {
      const { index, price, lots, bps } = event.args;
      return { type: "OrderRevealed", auctionId: auctionId.parse(event.args.auctionId), index, price, lots, bps };
    }
    case "AuctionCleared":
      return {
        type: "AuctionCleared",
        auctionId: auctionId.parse(event.args.auctionId),
        lotsTraded: event.args.lotsTraded,
        scaledPrice: event.args.scaledPrice,
        atSeconds: await context.blockSeconds(log.blockNumber ?? 0n),
      };
    case "AuctionCancelled":
      return { type: "AuctionCancelled", auctionId: auctionId.parse(event.args.auctionId) };
    case "OrderCollected":
      return {
        type: "OrderCollected",
        auctionId: auctionId.parse(event.args.auctionId),
        index: event.args.index,
        lots: event.args.fill,
      };
    case "LeasesGranted": {
      const { start, slots, lotMbps, price, week, leases: words } = event.args;
      const id = auctionId.parse(event.args.auctionId);
      const terms = { startSeconds: start, slots, lotMbps, price, week };
      const leases = words.map((word, index): GrantedLease => {
        const lease = unpackLease(id, index, word, terms);
        return {
          id: leaseId.parse(leaseIdOf(id, index)),
          index,
          seller: regionId.parse(lease.seller),
          buyer: regionId.parse(lease.buyer),
          lots: lease.lots,
          mbps: lease.lots * lotMbps,
          startSeconds: start,
          endSeconds: start + slots * SLOT_SECONDS,
        };
      });
      return { type: "LeasesGranted", auctionId: id, terms, words: [...words], leases };
    }
    case "LeaseSettled": {
      const { leaseId: id, lease, settlement } = event.args;
      return {
        type: "LeaseSettled",
        auctionId: auctionId.parse(lease.auctionId),
        leaseId: leaseId.parse(id),
        buyerPays: settlement.buyerPays,
        sellerGets: settlement.sellerGets,
        endSeconds: settlement.end,
      };
    }
    default:
      return null;
  }
}

function decode(log: Log) {
  return decodeEventLog({ abi: ABI, data: log.data, topics: log.topics });
}
