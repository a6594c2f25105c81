import { expect } from "chai";
import { type LeaseRecorded, pairKey, rebuildReputation } from "../../agent/reputation/rebuild.ts";
import { closingScore, scoreAt } from "../../agent/reputation/rule.ts";
import { DAY, type Grant, leaseId, Market, refusalOf } from "./market.ts";

describe("Reputation", function () {
  this.timeout(60_000);

  it("INV-7: only the escrow writes", async () => {
    const market = await Market.create(2);
    const args = [1, 2, leaseId(1, 0), 1n, 0n, 1n, 1, false];
    for (const from of [market.consortium, market.region(1).treasury, market.region(1).agent])
      expect((await refusalOf(market.send(from, "reputation", "record", args))).name).to.equal("OnlyEscrow");
  });

  it("INV-7: the events give every state, day after day, with gaps, failures and exits", async () => {
    const market = await Market.create(5);
    const events: LeaseRecorded[] = [];
    for (const [round, gap] of [0, 0, 1, 3, 14, 40].entries()) {
      await market.warpTo((await market.now()) + gap * DAY);
      if (round === 3) await market.send(market.region(5).treasury, "escrow", "startBondExit", [5]);
      const grant = await traded(market, round);
      await market.warpTo(grant.terms.startSeconds + 3_600 + (round === 4 ? 2 * DAY : 0));
      for (const { index } of grant.leases) {
        const receipt = market.receiptFor(grant, index, 360, { available: 3_600 - 130 * round * index });
        for (const event of market.events(await market.settle(grant, index, receipt)))
          if (event.name === "LeaseRecorded") events.push(event.args as unknown as LeaseRecorded);
      }
      const { fullBond } = market.deployment.constants.escrow;
      const rebuilt = rebuildReputation(events, fullBond);
      expect(rebuilt.mismatches).to.deep.equal([]);
      const today = Math.floor((await market.now()) / DAY);
      for (const { id } of market.regions) {
        const record = rebuilt.sellers.get(id);
        expect(await market.read("reputation", "score", [id]), `score of ${id}`).to.equal(
          record ? scoreAt(record.current, today) : 0,
        );
        expect(await market.read("reputation", "closingScore", [id]), `closing score of ${id}`).to.equal(
          record ? closingScore(record, today) : 0,
        );
        for (const { id: buyer } of market.regions) {
          const pair = rebuilt.pairs.get(pairKey(id, buyer)) ?? { delivered: 0n, failed: 0n, day: 0 };
          expect(await market.read("reputation", "pairState", [id, buyer])).to.deep.equal(pair);
        }
      }
    }
    expect(events.length).to.be.greaterThan(12);
  });

  it("a tampered event is found and named", async () => {
    const market = await Market.create(4);
    const grant = await traded(market, 0);
    await market.warpTo(grant.terms.startSeconds + 3_600);
    const events: LeaseRecorded[] = [];
    for (const { index } of grant.leases)
      for (const event of market.events(await market.settle(grant, index, market.receiptFor(grant, index, 360))))
        if (event.name === "LeaseRecorded") events.push(event.args as unknown as LeaseRecorded);
    const tampered = events.map((event, i) => (i === 1 ? { ...event, failed: event.failed + 1_000_000n } : event));
    const { mismatches } = rebuildReputation(tampered, market.deployment.constants.escrow.fullBond);
    expect(mismatches[0]?.leaseId).to.equal(events[1]!.leaseId);
  });

  it("settlements of today do not change today's closing score", async () => {
    const market = await Market.create(4);
    const first = await traded(market, 0);
    await market.warpTo(first.terms.startSeconds + 3_600);
    await market.settle(first, 0, market.receiptFor(first, 0, 360));
    const seller = first.leases[0]!.seller;
    expect(await market.read<number>("reputation", "score", [seller])).to.be.greaterThan(0);
    expect(await market.read("reputation", "closingScore", [seller])).to.equal(0);
    await market.warpTo((await market.now()) + DAY);
    const closing = await market.read<number>("reputation", "closingScore", [seller]);
    expect(closing).to.be.greaterThan(0);
    for (let index = 1; index < first.leases.length; index++)
      await market.settle(first, index, market.receiptFor(first, index, 360, { available: 0 }));
    expect(await market.read("reputation", "closingScore", [seller])).to.equal(closing);
  });

  it("INV-8: a region that is suspended, changes its keys and comes back has its old score", async () => {
    const market = await Market.create(4);
    const grant = await traded(market, 0);
    await market.warpTo(grant.terms.startSeconds + 3_600);
    await market.settle(grant, 0, market.receiptFor(grant, 0, 360));
    const { seller } = grant.leases[0]!;
    const score = await market.read<number>("reputation", "score", [seller]);
    const region = market.region(seller);
    await market.send(market.consortium, "membership", "suspend", [seller]);
    await market.send(region.treasury, "membership", "replaceAgent", [seller, market.consortium.address]);
    await market.send(market.consortium, "membership", "reinstate", [seller]);
    expect(await market.read("reputation", "score", [seller])).to.equal(score);
  });
});

/** Buyers and sellers change roles from round to round. */
async function traded(market: Market, round: number): Promise<Grant> {
  const auctionId = await market.open(market.region(1));
  const { grant } = await market.trade(
    auctionId,
    market.regions.map((region, i) =>
      (i + round) % 2 === 0
        ? { region, side: "bid", price: 3_000 - i, lots: 2 }
        : { region, side: "ask", price: 900 + i, lots: 3 },
    ),
  );
  return grant!;
}
