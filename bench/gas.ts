/**
 * Gas of whole transactions, every check on, on Hardhat's in-process chain (Cancun): `--json FILE` writes the figures.
 * The peers' figures are their own code on the same kind of node, as published with the specification.
 */
import { writeFileSync } from "node:fs";
import Table from "cli-table3";
import type { TransactionReceipt } from "viem";
import { leaseProof } from "../agent/auction/leases.ts";
import { EPOCH_SECONDS, SLOT_SECONDS } from "../agent/model/market.ts";
import { JSON_FILE, optionsOf } from "../lab/options.ts";
import { DAY, type Grant, Market, type Sealed, type TestOrder, type TestRegion } from "../test/contracts/market.ts";

const options = optionsOf(
  {
    name: "scripts/bench gas",
    summary:
      "Gas of whole transactions on Hardhat's in-process chain (Cancun), beside the gas of comparable contracts.",
    duration: "a few seconds, and a minute to build the contracts",
    needs: "nothing else; it builds the contracts if necessary",
  },
  { json: JSON_FILE },
);

interface Row {
  readonly step: string;
  readonly name: string;
  readonly prototype: number | null;
  readonly peers: string;
}

const rows: readonly Row[] = [
  { name: "commit", step: "commit", prototype: 90_000, peers: "57.7 k · 176.0 k · 449.6 k" },
  { name: "revealAsk", step: "reveal an ask", prototype: 35_900, peers: "45.6 k · – · 79.1 k" },
  { name: "revealBid", step: "reveal a bid", prototype: 41_400, peers: "45.6 k · – · 79.1 k" },
  { name: "revealBoosted", step: "reveal a boosted bid", prototype: 49_300, peers: "45.6 k · – · 79.1 k" },
  { name: "revealBatchPerOrder50", step: "reveal by relay, per order of 50", prototype: 12_800, peers: "–" },
  { name: "clear10", step: "clear 10 orders", prototype: 110_000, peers: "84 k · 140 k · 95 k" },
  { name: "clear100", step: "clear 100 orders", prototype: 453_000, peers: "84 k · 245 k · 95 k" },
  { name: "clear500", step: "clear 500 orders", prototype: 1_874_000, peers: "84 k · 519 k · 95 k" },
  { name: "collect", step: "collect one order", prototype: 43_400, peers: "33–36 k · 84–101 k · –" },
  { name: "collectPerOrder50", step: "collect, per order of 50", prototype: 11_800, peers: "–" },
  { name: "settle", step: "settle by a last receipt", prototype: null, peers: "–" },
  { name: "settleDisputed", step: "settle by the second claim", prototype: null, peers: "–" },
  { name: "cancel", step: "cancel", prototype: null, peers: "–" },
];

const figures: Record<string, number> = {};
const measured = (name: string, receipt: TransactionReceipt, parts = 1) => {
  figures[name] = Math.round(Number(receipt.gasUsed) / parts);
};

const market = await Market.create(12);
await warmUp();
await steps();
await boosted();
for (const orders of [10, 100, 500]) await clearing(orders);
report();

/** Scores, accounts and pool as a market has them that has been used: first writes would flatter nobody. */
async function warmUp(): Promise<void> {
  for (let round = 0; round < 2; round++) {
    const [grant] = await traded(market.regions.slice(0, 10));
    await market.warpTo(grant.terms.startSeconds + grant.terms.slots * SLOT_SECONDS);
    for (const { index } of grant.leases)
      await market.settle(
        grant,
        index,
        market.receiptFor(grant, index, (grant.terms.slots * SLOT_SECONDS) / EPOCH_SECONDS),
      );
    await market.warpTo((await market.now()) + DAY);
  }
}

async function steps(): Promise<void> {
  const auctionId = await market.open(market.region(1));
  const sealed: Sealed[] = [];
  for (const order of ordersOf(market.regions.slice(0, 9))) sealed.push(await market.commit(auctionId, order));
  const { receipt, sealed: last } = await market.commitWithReceipt(auctionId, {
    region: market.region(10),
    side: "ask",
    price: 1_000,
    lots: 2,
  });
  measured("commit", receipt);
  sealed.push(last);
  await market.passPhase(auctionId);
  for (const order of sealed) {
    const shown = await market.send(market.consortium, "auction", "reveal", [auctionId, order]);
    measured(order.side === 0 ? "revealBid" : "revealAsk", shown);
  }
  const { grant } = await market.clear(auctionId);
  measured("collect", await market.collectAll(auctionId, [1]));
  await market.collectAll(
    auctionId,
    sealed.filter(({ index }) => index !== 1).map(({ index }) => index),
  );
  const granted = grant!;
  await market.warpTo(granted.terms.startSeconds + granted.terms.slots * SLOT_SECONDS);
  await market.settle(granted, 0, market.receiptFor(granted, 0, 360));
  measured("settle", await market.settle(granted, 1, market.receiptFor(granted, 1, 360)));
  await disputed(granted, 2);

  const abandoned = await market.open(market.region(1));
  await market.commit(abandoned, { region: market.region(2), side: "bid", price: 1_000, lots: 1 });
  const { cancelFromBlock } = await market.read<{ cancelFromBlock: bigint }>("auction", "auction", [abandoned]);
  await market.chain.mine({ blocks: Number(cancelFromBlock - (await market.client.getBlockNumber())) });
  measured("cancel", await market.send(market.consortium, "auction", "cancel", [abandoned]));
}

async function disputed(grant: Grant, index: number): Promise<void> {
  const lease = grant.leases[index]!;
  const proof = leaseProof(grant.words, grant.terms, index);
  await market.settle(grant, index, market.receiptFor(grant, index, 357));
  await market.send(market.region(lease.seller).agent, "escrow", "claim", [lease, proof, lease.seller, 3_600]);
  measured(
    "settleDisputed",
    await market.send(market.region(lease.buyer).agent, "escrow", "claim", [lease, proof, lease.buyer, 3_570]),
  );
}

/** A bid whose boost the week's budget bears: the pool must hold something, and the region be registered. */
async function boosted(): Promise<void> {
  let day = Math.floor((await market.now()) / DAY);
  while ((day + 3) % 7 !== 6) day++;
  await market.warpTo(day * DAY + 60);
  for (const { id } of market.regions) await market.send(market.consortium, "escrow", "registerBudget", [id]);
  await market.warpTo((day + 1) * DAY + 60);
  const seller = market.regions.find((r) => r.id === 2)!;
  for (let i = 0; i < 2; i++) {
    const auctionId = await market.open(market.region(1));
    const boostBps = 100;
    const bid = await market.commit(auctionId, { region: seller, side: "bid", price: 1_000, lots: 1, boostBps });
    await market.passPhase(auctionId);
    const receipt = await market.send(market.consortium, "auction", "reveal", [auctionId, bid]);
    const shown = market.events(receipt).find(({ name }) => name === "OrderRevealed")!;
    if (shown.args.bps !== boostBps) throw new Error("the budget did not bear the boost");
    measured("revealBoosted", receipt);
  }
}

async function clearing(orders: number): Promise<void> {
  while (market.regions.length < orders) await market.admit();
  const [, receipts] = await traded(market.regions.slice(0, orders));
  measured(`clear${orders}`, receipts.clear);
  if (orders !== 100) return;
  measured("revealBatchPerOrder50", receipts.reveals[0]!, 50);
  measured("collectPerOrder50", receipts.collects[0]!, 50);
}

/** One auction in which all these regions order and all is revealed, in lots of fifty. */
async function traded(
  regions: readonly TestRegion[],
): Promise<[Grant, { clear: TransactionReceipt; reveals: TransactionReceipt[]; collects: TransactionReceipt[] }]> {
  const auctionId = await market.open(regions[0]!, { profile: 1 });
  const sealed = await market.commitTogether(auctionId, ordersOf(regions));
  await market.passPhase(auctionId);
  const reveals: TransactionReceipt[] = [];
  for (let i = 0; i < sealed.length; i += 50)
    reveals.push(await market.send(market.consortium, "auction", "revealMany", [auctionId, sealed.slice(i, i + 50)]));
  const { receipt: clear, grant } = await market.clear(auctionId);
  if (!grant) throw new Error(`auction ${auctionId} did not trade`);
  const collects: TransactionReceipt[] = [];
  for (let i = 0; i < sealed.length; i += 50)
    collects.push(
      await market.collectAll(
        auctionId,
        sealed.slice(i, i + 50).map(({ index }) => index),
      ),
    );
  return [grant, { clear, reveals, collects }];
}

/** Half buys, half sells; some of each stay without a fill, as in a real book. */
function ordersOf(regions: readonly TestRegion[]): TestOrder[] {
  return regions.map((region, i) =>
    i % 2 === 0
      ? { region, side: "bid", price: 3_000 - ((37 * i) % 2_200), lots: 1 + (i % 3) }
      : { region, side: "ask", price: 700 + ((53 * i) % 1_600), lots: 1 + (i % 4) },
  );
}

function report(): void {
  const table = new Table({
    head: ["step", "gas", "prototype", "difference", "auction-zoo · EasyAuction · ENS"],
    style: { head: [], border: [] },
  });
  for (const { name, step, prototype, peers } of rows) {
    const gas = figures[name];
    if (gas === undefined) throw new Error(`${name} was not measured`);
    table.push([
      step,
      gas.toLocaleString("en"),
      prototype?.toLocaleString("en") ?? "–",
      prototype ? `${Math.round((100 * gas) / prototype - 100)} %` : "–",
      peers,
    ]);
  }
  console.log(table.toString());
  console.log(
    "For commit the goal (90 k with every check on) stands in the prototype's column; `difference` compares ours with it.",
  );
  if (options.json) writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`);
}
