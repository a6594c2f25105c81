/** One auction on the chain: opened, ordered in, revealed, cleared, collected. What is decided is in ../order.ts. */
import { randomBytes } from "node:crypto";
import type { Hex } from "viem";
import { dayOf, weekOf } from "../../auction/calendar.ts";
import { findCertificate } from "../../auction/clearing.ts";
import { commitmentOf, SIDES, type Side } from "../../auction/commitment.ts";
import type { Funds, OrderPlan, Priority } from "../../auction/strategy.ts";
import { capacityAuctionAbi } from "../../chain/abi/capacity-auction.ts";
import { ContractRefusal, unlessRefused } from "../../chain/refusals.ts";
import { EphemeshError } from "../../model/errors.ts";
import type { AuctionId } from "../../model/ids.ts";
import type { Auction, Mesh, PreparedOrder } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import { decideAsk, decideBid, decideTerms } from "../order.ts";
import { chainNow, marketFacts, type Site } from "../site.ts";

/** What `clear` takes for "no bid" and "no ask". */
const NO_TRADE = 65_535;
/** A commit window, and some more for a chain that is slow. */
const DAY_MAY_TURN_SECONDS = 600;

type Of<K extends Action["kind"]> = Extract<Action, { kind: K }>;

/** The first auction of an event, or a further one of its mesh: a top-up, a renewal. */
export async function openAuction(site: Site, mesh: Mesh, { shortfall }: Of<"open-auction">): Promise<void> {
  const { event } = mesh;
  if (!event || !mesh.peers) return;
  const plan = decideTerms(event, shortfall, mesh.peers, mesh.id ?? 0, marketFacts(site));
  if ("declined" in plan) {
    site.dispatch({ type: "EventAbandoned", mesh: mesh.key, reason: plan.declined });
    return;
  }
  const { terms, fabric } = plan;
  if (mesh.fabric?.name !== fabric.name || mesh.fabric.reason !== fabric.reason)
    site.dispatch({ type: "FabricChosen", mesh: mesh.key, fabric });
  try {
    const purpose = `open:${event.id}:${mesh.auctions.length}`;
    await site.sender.send(purpose, auctionCall(site, "open", [site.self, terms]), site.signal, event.id);
  } catch (error) {
    // What was bought runs on, and a shortage may pass: a renewal or replacement is tried again.
    if (!(error instanceof ContractRefusal) || mesh.auctions.length > 0) throw error;
    site.dispatch({ type: "EventAbandoned", mesh: mesh.key, reason: `${error.message} ${error.remedy}` });
  }
}

/** Decides about an order, and journals it with its salt before anything is sent. @throws EphemeshError UNKNOWN_AUCTION, RPC_… */
export async function prepareOrder(site: Site, mesh: Mesh, { auctionId, side }: Of<"prepare-order">): Promise<void> {
  const { terms } = auctionOf(mesh, auctionId);
  const [funds, priority] = await Promise.all([readFunds(site), readPriority(site)]);
  // From here to the dispatch nothing waits, so that two auctions cannot both be offered the same capacity (INV-11).
  const facts = marketFacts(site);
  const plan = side === "bid" ? decideBid(mesh, terms, funds, priority, facts) : decideAsk(terms, funds, facts);
  if ("declined" in plan) site.dispatch({ type: "OrderDeclined", auctionId, reason: plan.declined });
  else site.dispatch({ type: "OrderPrepared", auctionId, order: sealOrder(site, auctionId, side, plan) });
}

/** Sends the commitment of the prepared order. @throws EphemeshError NO_ORDER, CONTRACT_REFUSED, TRANSACTION_…, RPC_… */
export async function commitOrder(site: Site, mesh: Mesh, { auctionId }: Of<"commit-order">): Promise<void> {
  const order = preparedOrder(mesh, auctionId);
  const { side, bond, commitment } = order;
  await site.sender.send(
    `commit:${auctionId}`,
    auctionCall(site, "commit", [auctionId, site.self, SIDES.indexOf(side), bond, commitment]),
    site.signal,
  );
}

/** Sends the opening of the own order. @throws EphemeshError NO_ORDER, CONTRACT_REFUSED, TRANSACTION_…, RPC_… */
export async function revealOrder(site: Site, mesh: Mesh, { auctionId, index }: Of<"reveal-order">): Promise<void> {
  const { side, price, lots, boostBps, bond, salt } = preparedOrder(mesh, auctionId);
  const opening = { index, regionId: site.self, side: SIDES.indexOf(side), price, lots, boostBps, bond, salt };
  await site.sender.send(`reveal:${auctionId}`, auctionCall(site, "reveal", [auctionId, opening]), site.signal);
}

/** Sends the marginal orders that clear the auction, unless another did. @throws EphemeshError UNKNOWN_AUCTION, CONTRACT_REFUSED, TRANSACTION_…, RPC_… */
export async function clearAuction(site: Site, mesh: Mesh, { auctionId }: Of<"clear-auction">): Promise<void> {
  const { orders, terms } = auctionOf(mesh, auctionId);
  const certificate = findCertificate(
    orders.flatMap(({ index, side, score, revealed }) =>
      revealed ? [{ index, side, score, price: revealed.price, lots: revealed.lots, bps: revealed.bps }] : [],
    ),
    terms.priceCap,
  );
  const { bid, ask } = certificate ?? { bid: NO_TRADE, ask: NO_TRADE };
  await unlessRefused(
    site.sender.send(`clear:${auctionId}`, auctionCall(site, "clear", [auctionId, bid, ask]), site.signal),
    "AlreadyCleared",
  );
}

/** Cancels an auction that nobody cleared in time, unless it is closed. @throws EphemeshError CONTRACT_REFUSED, TRANSACTION_…, RPC_… */
export async function closeWithoutTrade(site: Site, { auctionId }: Of<"cancel-auction">): Promise<void> {
  await unlessRefused(
    site.sender.send(`cancel:${auctionId}`, auctionCall(site, "cancel", [auctionId]), site.signal),
    "AlreadyCleared",
    "AlreadyCancelled",
  );
}

/** Collects what an order locked and did not use, unless another did. @throws EphemeshError CONTRACT_REFUSED, TRANSACTION_…, RPC_… */
export async function collectOrder(site: Site, { auctionId, index }: Of<"collect-order">): Promise<void> {
  await unlessRefused(
    site.sender.send(`collect:${auctionId}`, auctionCall(site, "collect", [auctionId, [index]]), site.signal),
    "AlreadyCollected",
  );
}

/** Balances of this region in the escrow, in price units. @throws EphemeshError RPC_… */
export async function readFunds(site: Site): Promise<Funds> {
  return { ...(await site.chain.account(site.self)), minBond: site.constants.minBond };
}

/** The week of an auction that is opened now is the one that counts, and the score of the day of its commitment. */
export async function readPriority(site: Site): Promise<Priority> {
  const now = chainNow(site);
  const [score, { granted, used }] = await Promise.all([
    site.chain.closingScore(site.self),
    site.chain.priorityBudget(site.self, weekOf(now)),
  ]);
  return { score: dayOf(now) === dayOf(now + DAY_MAY_TURN_SECONDS) ? score : null, budgetLeft: granted - used };
}

function sealOrder(site: Site, auctionId: AuctionId, side: Side, plan: OrderPlan): PreparedOrder {
  const salt: Hex = `0x${randomBytes(32).toString("hex")}`;
  const commitment = commitmentOf({
    chainId: site.deployment.chainId,
    auction: site.deployment.auction,
    auctionId,
    regionId: site.self,
    side,
    price: plan.price,
    lots: plan.lots,
    boostBps: plan.boostBps,
    salt,
  });
  return {
    side,
    price: plan.price,
    lots: plan.lots,
    boostBps: plan.boostBps,
    bond: plan.bond,
    salt,
    commitment,
    reasons: plan.reasons,
  };
}

function preparedOrder(mesh: Mesh, auctionId: AuctionId): PreparedOrder {
  const { order } = auctionOf(mesh, auctionId);
  if (!order || "declined" in order)
    throw new EphemeshError(
      "NO_ORDER",
      `There is no order of ours in auction ${auctionId}.`,
      "Nothing needs to be done.",
    );
  return order;
}

function auctionOf(mesh: Mesh, auctionId: AuctionId): Auction {
  const found = mesh.auctions.find((auction) => auction.terms.id === auctionId);
  if (!found)
    throw new EphemeshError(
      "UNKNOWN_AUCTION",
      `Auction ${auctionId} is not part of ${mesh.key}.`,
      "Nothing needs to be done: a reorganisation of the chain took it back, and the agent follows the chain.",
    );
  return found;
}

function auctionCall(site: Site, functionName: string, args: readonly unknown[]) {
  return { address: site.deployment.auction, abi: capacityAuctionAbi, functionName, args };
}
