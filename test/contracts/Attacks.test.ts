/** The attacks that MARKET.md section 6 names, one test each: what refuses it, or what it costs the attacker. */
import { expect } from "chai";
import { encodeAbiParameters, type Hex, keccak256 } from "viem";
import { commitmentOf, type OrderToSeal, SIDES } from "../../agent/auction/commitment.ts";
import { leaseProof } from "../../agent/auction/leases.ts";
import { walletSalt } from "../../agent/auction/wallet-salt.ts";
import {
  DAY,
  type Grant,
  leaseId,
  Market,
  NONE,
  placeAt,
  refusalOf,
  type Sealed,
  TEST_CONSTANTS,
  type TestOrder,
  type TestRegion,
} from "./market.ts";
import { expectSolvent } from "./solvency.ts";

const ZERO: Hex = `0x${"00".repeat(32)}`;
const HOUR = 3_600;

describe("Attacks on the market", function () {
  this.timeout(60_000);
  let market: Market;
  let one: TestRegion;
  let two: TestRegion;
  let three: TestRegion;
  beforeEach(async () => {
    market = await Market.create(4);
    [one, two, three] = market.regions as [TestRegion, TestRegion, TestRegion];
  });
  const refused = async (by: TestRegion, fn: string, args: readonly unknown[]) =>
    (await refusalOf(market.send(by.agent, "auction", fn, args))).name;
  const pool = async () => (await market.read<{ pool: bigint }>("escrow", "pool")).pool;

  describe("on the seal", () => {
    const sealOf = (sealed: Sealed, change: Partial<OrderToSeal>): Hex => {
      const { chainId, auction } = market.deployment;
      return commitmentOf({ ...sealed, side: SIDES[sealed.side]!, chainId, auction, auctionId: 1, ...change });
    };
    /** Region two commits what it saw or made, and tries to open it as its own. */
    const openedAs = async (commitment: Hex, opening: Sealed) => {
      await market.send(two.agent, "auction", "commit", [1, two.id, opening.side, opening.bond, commitment]);
      await market.passPhase(1);
      const { orders } = await market.read<{ orders: number }>("auction", "auction", [1]);
      return refused(two, "reveal", [1, { ...opening, index: orders - 1 }]);
    };
    let original: Sealed;
    beforeEach(async () => {
      await market.open(one);
      original = await market.commit(1, { region: one, side: "bid", price: 2_000, lots: 1 });
    });

    it("copied commitment: worthless to the copier as its own and as the victim's", async () => {
      const copy = sealOf(original, {});
      expect(await openedAs(copy, { ...original, regionId: two.id })).to.equal("WrongOpening");
      expect(await refused(two, "reveal", [1, { ...original, index: 1 }])).to.equal("WrongOpening");
      await market.send(two.agent, "auction", "reveal", [1, original]);
    });
    it("replay across auctions", async () => {
      const mine = { ...original, regionId: two.id };
      expect(await openedAs(sealOf(mine, { auctionId: 2 }), mine)).to.equal("WrongOpening");
    });
    it("replay across contracts", async () => {
      const mine = { ...original, regionId: two.id };
      const auction: Hex = `0x${"77".repeat(20)}`;
      expect(await openedAs(sealOf(mine, { auction }), mine)).to.equal("WrongOpening");
    });
    it("replay across chains", async () => {
      const mine = { ...original, regionId: two.id };
      expect(await openedAs(sealOf(mine, { chainId: 1 }), mine)).to.equal("WrongOpening");
    });

    it("brute force of a low-entropy order: without the salt no guess can be told from another", async () => {
      const [view] = await market.read<{ commitment: Hex }[]>("auction", "orders", [1]);
      const wordOf = (commitment: Hex) =>
        BigInt(
          keccak256(
            encodeAbiParameters(
              ["bytes32", "uint8", "uint32", "uint64", "uint256"].map((type) => ({ type })),
              [commitment, original.side, original.regionId, original.bond, 0n],
            ),
          ),
        ) >> 16n;
      const onChain = BigInt(view!.commitment) >> 16n;
      expect(wordOf(sealOf(original, {})), "the whole opening is what the chain holds").to.equal(onChain);
      // Side, region and bond are public; the bond bounds the product of price and lots.
      for (const salt of [ZERO, keccak256(ZERO)])
        for (let price = 1_900; price <= 2_100; price++)
          for (let lots = 1; lots <= 3; lots++)
            expect(wordOf(sealOf(original, { price, lots, salt }))).to.not.equal(onChain);
      await market.passPhase(1);
      expect(await refused(two, "reveal", [1, { ...original, salt: ZERO }])).to.equal("WrongOpening");
    });

    it("second opening: an order is revealed once, by one opening, and a region has one order", async () => {
      const more = [1, one.id, original.side, original.bond, sealOf({ ...original, price: 1 }, {})];
      expect(await refused(one, "commit", more)).to.equal("AlreadyOrdered");
      await market.commit(1, { region: two, side: "bid", price: 10, lots: 1 });
      await market.passPhase(1);
      expect(await refused(one, "reveal", [1, { ...original, price: 1_999 }])).to.equal("WrongOpening");
      await market.send(one.agent, "auction", "reveal", [1, original]);
      expect(await refused(one, "reveal", [1, original])).to.equal("AlreadyRevealed");
    });

    it("agent that lost its disk: it derives its salt again and reveals", async () => {
      const { chainId, auction } = market.deployment;
      const scope = { chainId, auction, auctionId: 1, regionId: two.id };
      const derive = () => walletSalt(scope, (request) => two.treasury.signTypedData(request));
      const figures = { side: "ask", price: 900, lots: 2, boostBps: 0 } as const;
      const commitment = commitmentOf({ ...scope, ...figures, salt: await derive() });
      const bond = 21_600n;
      await market.send(two.treasury, "auction", "commit", [1, two.id, 1, bond, commitment]);
      await market.passPhase(1);
      // Another machine: the wallet, and the figures as its owner remembers them.
      const opening = { ...figures, index: 1, regionId: two.id, side: 1, bond, salt: await derive() };
      await market.send(two.treasury, "auction", "reveal", [1, opening]);
      expect((await market.book(1)).map(({ index, price }) => [index, price])).to.deep.equal([[1, 900]]);
    });
  });

  describe("on the book", () => {
    it("many commits of which some are revealed: each of the others loses at least a fifth of its order", async () => {
      for (const organisation of [9, 9, 9]) await market.admit({ organisation });
      const auctionId = await market.open(one);
      const rungs = market.regions.slice(4).map((region, i) => ({ region, price: 1_000 + 400 * i, lots: 2 }));
      const orders: TestOrder[] = rungs.map((rung) => ({ ...rung, side: "ask", silent: rung.price !== 1_400 }));
      await market.trade(auctionId, [{ region: one, side: "bid", price: 3_000, lots: 2 }, ...orders]);
      const lost = rungs
        .filter(({ price }) => price !== 1_400)
        .reduce((sum, { price, lots }) => sum + BigInt(price * lots * 60), 0n);
      expect(5n * (await pool()) >= lost).to.equal(true);
    });

    it("last revealer: it can only reveal its sealed order or lose its bond; the others trade without it", async () => {
      const auctionId = await market.open(one);
      const sealed = [
        await market.commit(auctionId, { region: one, side: "bid", price: 3_000, lots: 1 }),
        await market.commit(auctionId, { region: two, side: "ask", price: 1_000, lots: 1 }),
        await market.commit(auctionId, { region: three, side: "ask", price: 2_000, lots: 1 }),
      ];
      await market.passPhase(auctionId);
      for (const order of sealed.slice(0, 2)) await market.send(one.agent, "auction", "reveal", [auctionId, order]);
      expect(await refused(three, "reveal", [auctionId, { ...sealed[2], price: 2_999 }])).to.equal("WrongOpening");
      await market.passPhase(auctionId);
      const { grant } = await market.clear(auctionId);
      expect(grant!.leases.map(({ seller, buyer }) => [seller, buyer])).to.deep.equal([[two.id, one.id]]);
      expect(await pool()).to.equal(sealed[2]!.bond);
    });

    it("spam of commits: one order a region, each with a bond", async () => {
      const auctionId = await market.open(one);
      const spam = (bond: bigint) => refused(two, "commit", [auctionId, two.id, 0, bond, ZERO]);
      expect(await spam(0n)).to.equal("BondTooSmall");
      expect(await spam(999n)).to.equal("BondTooSmall");
      await market.send(two.agent, "auction", "commit", [auctionId, two.id, 0, 1_000n, ZERO]);
      expect(await spam(1_000n)).to.equal("AlreadyOrdered");
    });

    it("wrong certificates: every pair of numbers but one is refused", async () => {
      const auctionId = await market.open(one);
      for (const [region, side, price] of [
        [one, "bid", 3_000],
        [two, "ask", 1_000],
        [three, "ask", 1_500],
      ] as const)
        await market.commit(auctionId, { region, side, price, lots: 1 });
      await market.passPhase(auctionId);
      await market.passPhase(auctionId);
      // Nobody revealed: nothing trades, whatever is named.
      for (const bid of [0, 1, 2, 3, 511, 512, NONE])
        for (const ask of [0, 1, 2, 3, 511, 512, NONE])
          if (bid !== NONE || ask !== NONE)
            expect(await refused(one, "clear", [auctionId, bid, ask]), `${bid} ${ask}`).to.equal("CertificateWrong");
      await market.send(one.agent, "auction", "clear", [auctionId, NONE, NONE]);
    });

    it("censoring proposer: the first and the last block of a phase both count, so all blocks but one of n can be lost", async () => {
      const auctionId = await market.open(one);
      type Blocks = { openBlock: number; lastCommitBlock: bigint; lastRevealBlock: bigint };
      const blocks = await market.read<Blocks>("auction", "auction", [auctionId]);
      const n = TEST_CONSTANTS.auction.urgentBlocks;
      expect(Number(blocks.lastCommitBlock)).to.equal(blocks.openBlock + n);
      expect(Number(blocks.lastRevealBlock)).to.equal(blocks.openBlock + 2 * n);
      const mineTo = async (block: bigint) =>
        market.chain.mine({ blocks: Number(block - (await market.client.getBlockNumber())) });
      await mineTo(blocks.lastCommitBlock - 2n);
      const early = await market.commit(auctionId, { region: two, side: "ask", price: 10, lots: 1 });
      const { sealed, receipt } = await market.commitWithReceipt(auctionId, {
        region: one,
        side: "bid",
        price: 20,
        lots: 1,
      });
      expect(receipt.blockNumber).to.equal(blocks.lastCommitBlock);
      expect(await refused(three, "commit", [auctionId, three.id, 0, 1_000n, ZERO])).to.equal("WrongPhase");
      const first = await market.send(two.agent, "auction", "reveal", [auctionId, early]);
      expect(first.blockNumber).to.equal(blocks.lastCommitBlock + 1n);
      await mineTo(blocks.lastRevealBlock - 1n);
      expect(await refused(two, "clear", [auctionId, NONE, NONE])).to.equal("WrongPhase");
      const last = await market.send(one.agent, "auction", "reveal", [auctionId, sealed]);
      expect(last.blockNumber).to.equal(blocks.lastRevealBlock);
    });

    it("censoring proposer: a reveal that is a block late is refused, and a cancel that is a block early", async () => {
      const auctionId = await market.open(one);
      const sealed = await market.commit(auctionId, { region: two, side: "ask", price: 10, lots: 1 });
      const { lastRevealBlock, cancelFromBlock } = await market.read<Record<string, bigint>>("auction", "auction", [
        auctionId,
      ]);
      await market.chain.mine({ blocks: Number(lastRevealBlock! - (await market.client.getBlockNumber())) });
      expect(await refused(two, "reveal", [auctionId, sealed])).to.equal("WrongPhase");
      expect(cancelFromBlock! - lastRevealBlock!).to.equal(BigInt(TEST_CONSTANTS.auction.clearBlocks) + 1n);
      await market.chain.mine({ blocks: TEST_CONSTANTS.auction.clearBlocks - 1 });
      expect(await refused(two, "cancel", [auctionId])).to.equal("CancelTooEarly");
      await market.chain.mine({ blocks: 1 });
      const receipt = await market.send(two.agent, "auction", "cancel", [auctionId]);
      expect(receipt.blockNumber).to.equal(cancelFromBlock);
    });
  });

  describe("on the arithmetic", () => {
    it("rounding: up for the payer, down for the receiver, and the pool keeps the difference", async () => {
      const auctionId = await market.open(one);
      const { grant } = await market.trade(auctionId, [
        { region: one, side: "bid", price: 8, lots: 1 },
        { region: two, side: "ask", price: 7, lots: 1 },
      ]);
      // E of the ask is 7.7, of the bid 8: p = 7.85, so P = u = 8 and r = 7 although 7.85 / 1.1 > 7.
      const { price, buyerPrice, sellerPrice } = grant!.leases[0]!;
      expect([price, buyerPrice, sellerPrice]).to.deep.equal([8, 8, 7]);
      await market.collectAll(auctionId, [0, 1]);
      await market.warpTo(grant!.terms.startSeconds + HOUR);
      const before = await pool();
      await market.settle(grant!, 0, market.receiptFor(grant!, 0, 360));
      const due = 1_000n; // the fee of a reference lease
      expect((await pool()) - before).to.equal(60n + due);
      await expectSolvent(market, [grant!]);
    });

    it("overflow: the largest figures that fit their types are refused by name, and never wrap", async () => {
      const auctionId = await market.open(one, { slots: 65_535, priceCap: 2 ** 32 - 1 });
      await market.fund(two, 2n ** 62n);
      const bond = 2n ** 62n;
      const order: TestOrder = { region: two, side: "ask", price: 2 ** 32 - 1, lots: 1_000_000, bond };
      const sealed = await market.commit(auctionId, order, two.treasury);
      await market.passPhase(auctionId);
      expect(await refused(two, "reveal", [auctionId, sealed])).to.equal("BondTooSmall");
      const most = 2n ** 64n - 1n;
      const deposit = market.send(two.treasury, "escrow", "deposit", [two.id, most]);
      expect((await refusalOf(deposit)).name).to.equal("LedgerFull");
      expect(await refused(three, "commit", [auctionId, three.id, 0, most, ZERO])).to.equal("WrongPhase");
      const next = await market.open(one);
      expect(await refused(three, "commit", [next, three.id, 0, most, ZERO])).to.equal("BalanceShort");
      await expectSolvent(market, []);
    });
  });

  describe("on the leases", () => {
    const sold = async (seller: TestRegion, buyer: TestRegion, price = 1_000, lots = 1): Promise<Grant> => {
      const auctionId = await market.open(buyer);
      const { grant } = await market.trade(auctionId, [
        { region: buyer, side: "bid", price: Math.ceil(price * 1.1), lots },
        { region: seller, side: "ask", price, lots },
      ]);
      await market.collectAll(auctionId, [0, 1]);
      return grant!;
    };
    const score = (region: TestRegion) => market.read<number>("reputation", "score", [region.id]);
    const abandoned = async (grant: Grant) => {
      await market.warpTo(grant.terms.startSeconds + HOUR + 7 * DAY);
      const args = [grant.leases[0], leaseProof(grant.words, grant.terms, 0)];
      await market.send(market.consortium, "escrow", "settleAfterWindow", args);
    };

    it("seller without capacity: it is not paid, loses part of its bond, and earns no score", async () => {
      const before = await market.account(two);
      const grant = await sold(two, one);
      await abandoned(grant);
      const after = await market.account(two);
      expect(before.free - after.free).to.equal(grant.leases[0]!.bondShare);
      expect(after.bonded).to.equal(0n);
      expect(await score(two)).to.equal(0);
      await expectSolvent(market, [grant]);
    });

    it("seller that sells twice: each sale has a bond of its own, and the one not served is lost", async () => {
      const [first, second] = [await sold(two, one), await sold(two, three)];
      const { bonded } = await market.account(two);
      expect(bonded).to.equal(first.leases[0]!.bondShare + second.leases[0]!.bondShare);
      await market.warpTo(first.terms.startSeconds + HOUR);
      await market.settle(first, 0, market.receiptFor(first, 0, 360));
      const honest = await score(two);
      await abandoned(second);
      expect((await score(two)) < honest).to.equal(true);
      const buyer = await market.read<{ delivered: bigint; failed: bigint }>("reputation", "pairState", [2, 3]);
      expect(buyer.failed > 0n && buyer.delivered === 0n).to.equal(true);
    });

    it("wash trade inside an organisation: refused at the commit, whichever region of it sells", async () => {
      const sister = await market.admit({ organisation: one.organisation });
      const auctionId = await market.open(one);
      await market.commit(auctionId, { region: one, side: "bid", price: 10, lots: 1 });
      const ask = [auctionId, sister.id, 1, 1_000n, ZERO];
      expect(await refused(sister, "commit", ask)).to.equal("OtherSide");
    });

    it("wash trade in a pair: a quarter of the scale at most, for a fee each time", async () => {
      for (let i = 0; i < 5; i++) {
        const before = await pool();
        const grant = await sold(two, one, 30);
        await market.warpTo(grant.terms.startSeconds + HOUR);
        await market.settle(grant, 0, market.receiptFor(grant, 0, 360));
        expect((await pool()) - before >= TEST_CONSTANTS.escrow.creditFee).to.equal(true);
      }
      expect((await score(two)) <= 250_001).to.equal(true);
      expect((await score(two)) > 240_000).to.equal(true);
    });

    it("wash trade in a clique without bonds: their settlements have no weight and give no budget", async () => {
      const clique = [two, three];
      for (const region of clique) await market.send(region.treasury, "escrow", "startBondExit", [region.id]);
      for (const [seller, buyer] of [clique, [three, two]] as [TestRegion, TestRegion][]) {
        const grant = await sold(seller, buyer);
        await market.warpTo(grant.terms.startSeconds + HOUR);
        await market.settle(grant, 0, market.receiptFor(grant, 0, 360));
      }
      for (const region of clique) expect(await score(region)).to.equal(0);
    });

    it("timestamp at the edge: a lease is not over a second before its end, and the day of its end is the event's", async () => {
      const grant = await sold(two, one);
      const end = grant.terms.startSeconds + HOUR;
      await market.warpTo(end - 2);
      const early = market.settle(grant, 0, market.receiptFor(grant, 0, 360));
      expect((await refusalOf(early)).name).to.equal("TooEarly");
      await market.chain.setNextBlockTimestamp({ timestamp: BigInt(end) });
      const receipt = await market.settle(grant, 0, market.receiptFor(grant, 0, 360));
      const recorded = market.events(receipt).find(({ name }) => name === "LeaseRecorded")!;
      expect(recorded.args.endDay).to.equal(Math.floor(end / DAY));
      expect(recorded.args.leaseId).to.equal(leaseId(grant.auctionId, 0));
    });
  });

  describe("malicious admin", () => {
    it("cannot change the terms of an open auction by attesting its opener elsewhere", async () => {
      const auctionId = await market.open(one);
      const before = await market.read<object>("auction", "auction", [auctionId]);
      const elsewhere = [one.id, 77, placeAt(-35, 150), 0, 2n];
      await market.send(market.consortium, "membership", "attest", elsewhere);
      expect(await market.read<object>("auction", "auction", [auctionId])).to.deep.equal(before);
      await market.commit(auctionId, { region: two, side: "ask", price: 10, lots: 1 });
    });

    it("cannot stop reveal, clear, cancel, collect, settle, claim or withdraw", async () => {
      const [first, second] = [await market.open(one), await market.open(one)];
      const orders: TestOrder[] = [
        { region: one, side: "bid", price: 2_000, lots: 1 },
        { region: two, side: "ask", price: 1_000, lots: 1 },
      ];
      const sealed = [await market.commit(first, orders[0]!), await market.commit(first, orders[1]!)];
      await market.commit(second, orders[0]!);
      const { manager, membership, auction, escrow, reputation } = market.deployment;
      for (const target of [membership, auction, escrow, reputation])
        await market.call(market.consortium, manager, "function setTargetClosed(address target, bool closed)", [
          target,
          true,
        ]);
      await market.passPhase(first);
      await market.send(one.agent, "auction", "revealMany", [first, sealed]);
      const { grant } = await market.clear(first);
      await market.collectAll(first, [0, 1]);
      await market.warpTo(grant!.terms.startSeconds + HOUR);
      const claim = (by: TestRegion) => [grant!.leases[0], leaseProof(grant!.words, grant!.terms, 0), by.id, HOUR];
      for (const party of [one, two]) await market.send(party.agent, "escrow", "claim", claim(party));
      await market.chain.mine({ blocks: 60 });
      await market.send(three.agent, "auction", "cancel", [second]);
      await market.send(one.treasury, "escrow", "withdraw", [one.id, 1n]);
      await expectSolvent(market, [grant!]);
    });

    it("has no access to money, scores or the pool: each call that moves them refuses the consortium's key", async () => {
      const by = (contract: "escrow" | "reputation", fn: string, args: readonly unknown[]) =>
        refusalOf(market.send(market.consortium, contract, fn, args)).then(({ name }) => name);
      expect(await by("escrow", "withdraw", [1, 1n])).to.equal("NotTreasury");
      expect(await by("escrow", "setAllowance", [1, 1n])).to.equal("NotTreasury");
      expect(await by("escrow", "finishBondExit", [1])).to.equal("NotTreasury");
      expect(await by("escrow", "releaseAsk", [1, 1n, false])).to.equal("OnlyAuction");
      const record = [1, 2, ZERO, 1n, 0n, 1n, 1, false];
      expect(await by("reputation", "record", record)).to.equal("OnlyEscrow");
    });
  });
});
