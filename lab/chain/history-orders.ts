/** What the regions of a lab's history order and deliver: the same figures for the same auction and region. Pure. */
import type { Hex } from "viem";
import { maxBoost } from "../../agent/auction/clearing.ts";
import { SIDES, type Side } from "../../agent/auction/commitment.ts";
import { NO_RECEIPT, type Receipt } from "../../agent/lease/receipt.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { EPOCH_SECONDS, SLOT_SECONDS } from "../../agent/model/market.ts";

export const SLOTS = 60;
export const PRICE_CAP = 9_000;
const LOT_MBPS = 100;
const EPOCHS = (SLOTS * SLOT_SECONDS) / EPOCH_SECONDS;
const LOTS_PER_ASK = 2;
const MIN_BOND = 1_000;
const NORMAL_PROFILE = 1;
/** Share of its leases' epochs that a seller keeps available, by its place among the regions: scores must differ. */
const QUALITIES = [1, 0.995, 0.985, 0.97, 0.94, 0.9];

export interface Trader {
  readonly id: number;
  readonly organisation: number;
  /** Bit i: attached to fabric i. */
  readonly fabrics: bigint;
}

export function isAttached({ fabrics }: Pick<Trader, "fabrics">, fabric: number): boolean {
  return ((fabrics >> BigInt(fabric)) & 1n) === 1n;
}

/** Fabrics with at least three regions; the largest comes twice. @throws EphemeshError HISTORY_NO_FABRIC */
export function tradingFabrics(traders: readonly Trader[]): readonly number[] {
  const members = (fabric: number) => traders.filter((trader) => isAttached(trader, fabric)).length;
  const usable = Array.from({ length: 64 }, (_, fabric) => fabric).filter((fabric) => members(fabric) >= 3);
  const [largest] = usable.toSorted((a, b) => members(b) - members(a));
  if (largest === undefined)
    throw new EphemeshError(
      "HISTORY_NO_FABRIC",
      "No fabric connects three regions, so no auction is possible. Nothing was sent.",
      "Attach more regions to one fabric.",
    );
  return [largest, ...usable];
}

/** The argument of `CapacityAuction.open`. */
export function termsOf(round: number, fabric: number) {
  return {
    kind: round % 3,
    earlier: 0,
    fabric,
    cosine: -1_000_000_000,
    attributes: 0,
    requiresMinScore: false,
    latencyBoundMicros: 200_000,
    lotMbps: LOT_MBPS,
    slots: SLOTS,
    earliestStart: 0,
    priceCap: PRICE_CAP,
    profile: NORMAL_PROFILE,
  };
}

/** Half of the regions buy and half sell, in turns; an organisation stays on the side of its first region. */
export function sidesOf<T extends Trader>(members: readonly T[], round: number): { trader: T; side: Side }[] {
  const chosen = new Map<number, Side>();
  return members.map((trader, i) => {
    const side = chosen.get(trader.organisation) ?? SIDES[(i + round + Math.floor(round / 2) * (i % 3)) % 2]!;
    chosen.set(trader.organisation, side);
    return { trader, side };
  });
}

/** @param members number of regions in the auction. @param score 0 to 1000 */
export function orderOf(round: number, trader: Trader, side: Side, members: number, score: number) {
  const spread = (7 * round + 3 * trader.id) % 11;
  const price = side === "ask" ? 900 + 60 * spread : 2_400 + 80 * spread;
  const lots = side === "ask" ? LOTS_PER_ASK : Math.max(1, Math.floor((LOTS_PER_ASK * members) / 2));
  const boostBps = side === "bid" ? Math.min(1_000, maxBoost(score)) : 0;
  const bond = BigInt(Math.max(MIN_BOND, Math.ceil((price * lots * SLOTS) / 5)));
  return { price, lots, boostBps, bond };
}

/** The last receipt of a lease, as two honest agents sign it. @param sellerPlace the seller's place among the regions */
export function receiptOf(leaseId: Hex, sellerPlace: number, lots: number): Receipt {
  const quality = QUALITIES[sellerPlace % QUALITIES.length]!;
  const luck = Number(BigInt(leaseId) % 100n) / 100;
  const available = EPOCH_SECONDS * (EPOCHS - Math.round(EPOCHS * (1 - quality) * (0.5 + luck)));
  const bytesToBuyer = BigInt(Math.round((LOT_MBPS * lots * 125_000 * available * (5 + luck)) / 8));
  return {
    leaseId,
    epochs: EPOCHS,
    available,
    packetsToBuyer: bytesToBuyer / 1_300n,
    bytesToBuyer,
    packetsToSeller: bytesToBuyer / 4_000n,
    bytesToSeller: bytesToBuyer / 40n,
    worstRttMicros: 20_000 + Math.round(60_000 * luck),
    worstLossPpm: Math.round(900 * luck),
    release: false,
    previous: NO_RECEIPT,
  };
}
