import { expect } from "chai";
import { parseSignature } from "viem";
import { type LeaseTuple, leaseProof } from "../../agent/auction/leases.ts";
import { isContested, type Settlement, type SettlementFacts, settleLease } from "../../agent/lease/settlement.ts";
import { DAY, type Event, type Grant, leaseId, Market, refusalOf, type TestOrder, testKey } from "./market.ts";
import { expectSolvent } from "./solvency.ts";

const HOUR = 3_600;
const TERM = BigInt(HOUR);

describe("LeaseEscrow", function () {
  this.timeout(60_000);

  describe("accounts", () => {
    let market: Market;
    beforeEach(async () => {
      market = await Market.create(2);
    });
    const send = (by: "treasury" | "agent", fn: string, args: readonly unknown[]) =>
      market.send(market.region(1)[by], "escrow", fn, args);
    const refused = async (by: "treasury" | "agent", fn: string, args: readonly unknown[]) =>
      (await refusalOf(send(by, fn, args))).name;

    it("INV-2: money leaves only to the treasury, by the treasury's call", async () => {
      const { constants } = market.deployment;
      const before = await market.read<bigint>("token", "balanceOf", [market.region(1).treasury.address]);
      await send("treasury", "withdraw", [1, 1_000n]);
      const after = await market.read<bigint>("token", "balanceOf", [market.region(1).treasury.address]);
      expect(after - before).to.equal(1_000n * constants.escrow.priceUnit);
      expect(await refused("agent", "withdraw", [1, 1n])).to.equal("NotTreasury");
      expect(await refused("treasury", "withdraw", [2, 1n])).to.equal("NotTreasury");
      await expectSolvent(market, []);
    });

    it("zero, too much, or for no region is refused with a named error", async () => {
      expect(await refused("treasury", "withdraw", [1, 0n])).to.equal("ZeroAmount");
      expect(await refused("treasury", "withdraw", [1, 10n ** 15n])).to.equal("BalanceShort");
      expect(await refused("treasury", "deposit", [1, 0n])).to.equal("ZeroAmount");
      expect(await refused("treasury", "deposit", [77, 1n])).to.equal("UnknownRegion");
      expect(await refused("treasury", "deposit", [1, 2n ** 64n - 1n])).to.equal("LedgerFull");
      expect(await refused("treasury", "postBond", [1, 0n])).to.equal("ZeroAmount");
      for (const fn of ["setAllowance", "postBond"])
        expect(await refused("agent", fn, [1, 1n])).to.equal("NotTreasury");
      for (const fn of ["startBondExit", "finishBondExit"])
        expect(await refused("agent", fn, [1])).to.equal("NotTreasury");
    });

    it("a permit pays in without an approval; a permit that another sender used first does no harm", async () => {
      const { treasury } = market.region(1);
      const { token, escrow, chainId, constants } = market.deployment;
      const value = 500n * constants.escrow.priceUnit;
      await market.send(market.consortium, "token", "mint", [treasury.address, value]);
      await market.send(treasury, "token", "approve", [escrow, 0n]);
      const deadline = BigInt((await market.now()) + DAY);
      const nonce = await market.read<bigint>("token", "nonces", [treasury.address]);
      const signature = await treasury.signTypedData({
        domain: { name: "Ephemesh demo credit", version: "1", chainId, verifyingContract: token },
        types: {
          Permit: ["owner address", "spender address", "value uint256", "nonce uint256", "deadline uint256"].map(
            (f) => ({ name: f.split(" ")[0]!, type: f.split(" ")[1]! }),
          ),
        },
        primaryType: "Permit",
        message: { owner: treasury.address, spender: escrow, value, nonce, deadline },
      });
      const { r, s, yParity } = parseSignature(signature);
      await market.send(market.consortium, "token", "permit", [
        treasury.address,
        escrow,
        value,
        deadline,
        27 + yParity,
        r,
        s,
      ]);
      const before = (await market.account(market.region(1))).free;
      await market.send(treasury, "escrow", "depositWithPermit", [1, 500n, deadline, 27 + yParity, r, s]);
      expect((await market.account(market.region(1))).free - before).to.equal(500n);
    });

    it("a stolen agent key spends at most its allowance, and 0 stops it at once and permanently", async () => {
      await send("treasury", "setAllowance", [1, 20_000n]);
      const auctionId = await market.open(market.region(2));
      const sealed = await market.commit(auctionId, {
        region: market.region(1),
        side: "bid",
        price: 100,
        lots: 1,
        bond: 19_000n,
      });
      expect((await market.account(market.region(1))).allowance).to.equal(1_000n);
      await send("treasury", "setAllowance", [1, 0n]);
      await market.passPhase(auctionId);
      expect((await refusalOf(market.send(market.consortium, "auction", "reveal", [auctionId, sealed]))).name).to.equal(
        "AllowanceShort",
      );
      await send("treasury", "setAllowance", [1, 1_000n]);
      await market.send(market.consortium, "auction", "reveal", [auctionId, sealed]);
      await send("treasury", "setAllowance", [1, 0n]);
      await market.clear(auctionId);
      await market.collectAll(auctionId, [0]);
      expect((await market.account(market.region(1))).allowance).to.equal(0n);
    });

    it("an exiting membership bond can be withdrawn after 56 days, has no weight, and cannot be raised", async () => {
      expect(await refused("treasury", "finishBondExit", [1])).to.equal("BondNotExiting");
      await send("treasury", "startBondExit", [1]);
      expect(await refused("treasury", "startBondExit", [1])).to.equal("BondExiting");
      expect(await refused("treasury", "postBond", [1, 1n])).to.equal("BondExiting");
      expect(await refused("treasury", "finishBondExit", [1])).to.equal("BondHeldUntil");
      await market.warpTo((await market.now()) + 56 * DAY);
      await send("treasury", "finishBondExit", [1]);
      expect((await market.account(market.region(1))).membershipBond).to.equal(0n);
      expect(await refused("treasury", "startBondExit", [1])).to.equal("ZeroAmount");
      await expectSolvent(market, []);
    });

    it("only the auction contract can call the market's side", async () => {
      const calls: [string, readonly unknown[]][] = [
        ["takeDeposit", [1, 1n, false]],
        ["takeBond", [1, 1n, false]],
        ["lockBid", [1, 1n, 1n, false, 1, 0n]],
        ["bondAsk", [1, 1n]],
        ["closeAuction", [1, 1, false, 1n, true, 0n, leaseId(1, 1)]],
        ["releaseBid", [1, 1n, false, 1, 0n]],
        ["releaseAsk", [1, 1n, false]],
      ];
      for (const [fn, args] of calls) expect(await refused("treasury", fn, args), fn).to.equal("OnlyAuction");
    });
  });

  describe("tokens that take a fee, refuse, lie or re-enter are contained", () => {
    const modes = [
      ["TakesFee", "TokenAmountWrong"],
      ["Refuses", "Refused"],
      ["SaysNo", "SafeERC20FailedOperation"],
      ["Lies", "TokenAmountWrong"],
      ["ReentersDeposit", "ReentrancyGuardReentrantCall"],
      ["ReentersWithdraw", "ReentrancyGuardReentrantCall"],
    ] as const;
    for (const [i, [mode, refusal]] of modes.entries())
      it(mode, async () => {
        const market = await Market.create(2, undefined, "HostileToken");
        const { token, escrow } = market.deployment;
        await market.send(market.consortium, "token", "mint", [market.region(1).treasury.address, 10_000n]);
        await market.send(market.region(1).treasury, "token", "approve", [escrow, 10_000n]);
        const before = await market.account(market.region(1));
        await market.call(market.consortium, token, "function turn(uint8 mode, address target, uint32 regionId)", [
          i + 1,
          escrow,
          1,
        ]);
        for (const fn of ["deposit", "withdraw"]) {
          const { name } = await refusalOf(market.send(market.region(1).treasury, "escrow", fn, [1, 10n]));
          expect(name, fn).to.equal(refusal);
        }
        expect(await market.account(market.region(1))).to.deep.equal(before);
        await expectSolvent(market, []);
      });
    it("an escrow is not created for a token address without code", async () => {
      expect((await refusalOf(Market.create(0, undefined, undefined, testKey("nobody").address))).name).to.equal(
        "TokenWithoutCode",
      );
    });
  });

  describe("settlement", () => {
    let market: Market;
    let grant: Grant;
    let lease: LeaseTuple;
    beforeEach(async () => {
      market = await Market.create(4);
      grant = await traded(market);
      lease = grant.leases[0]!;
    });
    const end = () => grant.terms.startSeconds + HOUR;
    const settled = (receipt: Parameters<Market["events"]>[0]) =>
      market.events(receipt).find(({ name }) => name === "LeaseSettled")!;
    const expected = (facts: Partial<SettlementFacts>, creditFee?: bigint) =>
      settleLease(termsOf(market, lease, creditFee), {
        end: TERM,
        covered: 0n,
        available: 0n,
        claims: [],
        silent: "nobody",
        ...facts,
      });
    const claim = (side: "seller" | "buyer", available: number, index = 0) => {
      const region = market.region(grant.leases[index]![side]);
      return market.send(region.agent, "escrow", "claim", [
        grant.leases[index],
        leaseProof(grant.words, grant.terms, index),
        region.id,
        available,
      ]);
    };
    const close = (index = 0) =>
      market.send(market.consortium, "escrow", "settleAfterWindow", [
        grant.leases[index],
        leaseProof(grant.words, grant.terms, index),
      ]);
    const refusedSettle = async (options: object, epochs = 360) =>
      (await refusalOf(market.settle(grant, 0, market.receiptFor(grant, 0, epochs, options)))).name;

    it("by a co-signed last receipt, to the unit", async () => {
      await market.warpTo(end());
      const [seller, buyer] = [market.region(lease.seller), market.region(lease.buyer)];
      const before = [await market.account(seller), await market.account(buyer)] as const;
      const event = settled(await market.settle(grant, 0, market.receiptFor(grant, 0, 360, { available: 3_580 })));
      const figures = expected({ covered: TERM, available: 3_580n });
      expectFigures(event, figures);
      const after = [await market.account(seller), await market.account(buyer)] as const;
      const total = BigInt(lease.lots) * BigInt(lease.buyerPrice) * BigInt(lease.slots);
      expect(after[0].free - before[0].free).to.equal(
        figures.sellerGets + lease.bondShare - figures.slash - figures.fee,
      );
      expect(before[0].bonded - after[0].bonded).to.equal(lease.bondShare);
      expect(after[1].free - before[1].free).to.equal(total - figures.buyerPays);
      expect(before[1].locked - after[1].locked).to.equal(total);
      await expectSolvent(market, [grant]);
    });

    it("not before its end, unless both release; a release settles at once", async () => {
      expect(await refusedSettle({}, 1)).to.equal("TooEarly");
      await market.warpTo(grant.terms.startSeconds + 600);
      const event = settled(await market.settle(grant, 0, market.receiptFor(grant, 0, 60, { release: true })));
      expectFigures(event, expected({ end: 600n, covered: 600n, available: 600n }));
      await expectSolvent(market, [grant]);
    });

    it("a release before the start costs neither party anything", async () => {
      const event = settled(await market.settle(grant, 0, market.receiptFor(grant, 0, 0, { release: true })));
      const { sellerGets, buyerPays, slash, fee } = event.args.settlement as Record<string, bigint>;
      expect([sellerGets, buyerPays, slash, fee]).to.deep.equal([0n, 0n, 0n, 0n]);
    });

    it("only with a receipt that both sides' agents signed, of this lease, within its term and not of the future", async () => {
      await market.warpTo(grant.terms.startSeconds + 600);
      expect(await refusedSettle({ release: true }, 100)).to.equal("ReceiptFromFuture");
      await market.warpTo(end());
      expect(await refusedSettle({ leaseId: leaseId(grant.auctionId, 1) })).to.equal("ReceiptOfOtherLease");
      expect(await refusedSettle({}, 361)).to.equal("ReceiptOutOfRange");
      expect(await refusedSettle({ available: 3_601 })).to.equal("ReceiptOutOfRange");
      const receipt = market.receiptFor(grant, 0, 360);
      const [seller, buyer] = [
        await market.sign(receipt, market.region(lease.seller).agent),
        await market.sign(receipt, market.region(lease.buyer).agent),
      ];
      const proof = leaseProof(grant.words, grant.terms, 0);
      const other = await market.sign({ ...receipt, available: 0 }, market.region(lease.buyer).agent);
      for (const signatures of [
        [seller, seller],
        [buyer, buyer],
        [buyer, seller],
        [seller, other],
      ])
        expect(
          (await refusalOf(market.send(market.consortium, "escrow", "settle", [lease, proof, receipt, ...signatures])))
            .name,
        ).to.equal("WrongSigner");
    });

    it("not for a lease that the auction did not grant: no field can be changed or overflow into another", async () => {
      await market.warpTo(end());
      const receipt = market.receiptFor(grant, 0, 360);
      const signatures = [
        await market.sign(receipt, market.region(lease.seller).agent),
        await market.sign(receipt, market.region(lease.buyer).agent),
      ];
      const changes: Partial<LeaseTuple>[] = [
        ...(Object.keys(lease) as (keyof LeaseTuple)[]).map((key) => {
          const value = lease[key];
          return {
            [key]: typeof value === "boolean" ? !value : typeof value === "bigint" ? value + 1n : (value as number) + 1,
          };
        }),
        { lots: lease.lots + 2 ** 20, buyer: lease.buyer - 1 },
        { before: 2 ** 20 + lease.before, lots: lease.lots - 1 },
        { bid: lease.bid + 512 },
        { ask: lease.ask + 512 },
      ];
      for (const change of changes) {
        const forged = { ...lease, ...change };
        const sending = market.send(market.consortium, "escrow", "settle", [
          forged,
          leaseProof(grant.words, grant.terms, 0),
          receipt,
          ...signatures,
        ]);
        expect((await refusalOf(sending)).name, JSON.stringify(Object.keys(change))).to.equal("LeaseNotUnderRoot");
      }
    });

    it("once", async () => {
      await market.warpTo(end());
      await market.settle(grant, 0, market.receiptFor(grant, 0, 360));
      expect(await refusedSettle({})).to.equal("AlreadySettled");
      expect((await refusalOf(claim("seller", 0))).name).to.equal("AlreadySettled");
      expect((await refusalOf(close())).name).to.equal("AlreadySettled");
      expect(await market.read("escrow", "statusOf", [lease])).to.equal(4);
      await market.settle(grant, 1, market.receiptFor(grant, 1, 360));
    });

    it("with a key that was replaced during the lease, but not with one replaced before it", async () => {
      const region = market.region(lease.seller);
      await market.warpTo(grant.terms.startSeconds + 60);
      await market.send(region.treasury, "membership", "replaceAgent", [region.id, testKey("fresh").address]);
      await market.warpTo(end());
      await market.settle(grant, 0, market.receiptFor(grant, 0, 360));

      const again = await Market.create(4);
      const second = await traded(again);
      const seller = again.region(second.leases[0]!.seller);
      await again.send(seller.treasury, "membership", "replaceAgent", [seller.id, testKey("fresh").address]);
      await again.warpTo(second.terms.startSeconds + HOUR);
      expect((await refusalOf(again.settle(second, 0, again.receiptFor(second, 0, 360)))).name).to.equal("WrongSigner");
    });

    describe("disputes", () => {
      beforeEach(() => market.warpTo(end()));

      it("an earlier receipt opens the window; a later one replaces it; after 24 h anyone settles", async () => {
        await market.settle(grant, 0, market.receiptFor(grant, 0, 300));
        expect(await market.read("escrow", "statusOf", [lease])).to.equal(3);
        expect(await refusedSettle({}, 299)).to.equal("ReceiptNotLater");
        expect(await refusedSettle({}, 300)).to.equal("ReceiptNotLater");
        await market.settle(grant, 0, market.receiptFor(grant, 0, 320));
        expect((await refusalOf(close())).name).to.equal("TooEarly");
        await market.warpTo(end() + DAY + 10);
        expect((await refusalOf(claim("seller", 3_600))).name).to.equal("WindowClosed");
        expect(await refusedSettle({}, 330)).to.equal("WindowClosed");
        expectFigures(settled(await close()), expected({ covered: 3_200n, available: 3_200n }));
        await expectSolvent(market, [grant]);
      });

      it("of two receipts for one epoch that both signed, the one with fewer available seconds counts", async () => {
        await market.settle(grant, 0, market.receiptFor(grant, 0, 300));
        await market.settle(grant, 0, market.receiptFor(grant, 0, 300, { available: 2_900 }));
        expect(await refusedSettle({ available: 2_950 }, 300)).to.equal("ReceiptNotLater");
        const { available } = await market.read<{ available: number }>("escrow", "evidenceOf", [
          leaseId(grant.auctionId, 0),
        ]);
        expect(available).to.equal(2_900);
      });

      it("both claims settle at once, clamped to the grace after the last receipt", async () => {
        await market.settle(grant, 0, market.receiptFor(grant, 0, 355));
        await claim("seller", 3_600);
        expect((await refusalOf(claim("seller", 3_600))).name).to.equal("AlreadyClaimed");
        const event = settled(await claim("buyer", 0));
        expectFigures(event, expected({ covered: 3_550n, available: 3_550n, claims: [0n, 3_600n] }));
        await expectSolvent(market, [grant]);
      });

      it("a party that posts nothing pays both halves of the break cost", async () => {
        await claim("buyer", 0);
        await market.warpTo(end() + DAY + 10);
        const event = settled(await close());
        const figures = expected({ claims: [0n], silent: "seller" });
        expectFigures(event, figures);
        expect(figures.slash > 0n).to.equal(true);
        await expectSolvent(market, [grant]);
      });

      it("only a party can claim, by its agent or treasury, and not above the term", async () => {
        const proof = leaseProof(grant.words, grant.terms, 0);
        const stranger = market.regions.find(({ id }) => id !== lease.seller && id !== lease.buyer)!;
        const send = (from: typeof stranger, id: number, available = 0) =>
          market.send(from.agent, "escrow", "claim", [lease, proof, id, available]);
        expect((await refusalOf(send(stranger, stranger.id))).name).to.equal("NotAParty");
        expect((await refusalOf(send(stranger, lease.seller))).name).to.equal("NotAuthorised");
        expect((await refusalOf(send(market.region(lease.buyer), lease.buyer, 3_601))).name).to.equal(
          "ReceiptOutOfRange",
        );
      });

      it("a last receipt ends a dispute, and claims do not matter", async () => {
        await claim("buyer", 0);
        expectFigures(
          settled(await market.settle(grant, 0, market.receiptFor(grant, 0, 360))),
          expected({ covered: TERM, available: TERM }),
        );
      });

      it("INV-4: if nothing is posted, anyone settles 7 days after the end, all void, at the same cost for both", async () => {
        await market.warpTo(end() + 7 * DAY - 10);
        expect((await refusalOf(close())).name).to.equal("TooEarly");
        await market.warpTo(end() + 7 * DAY);
        const figures = expected({});
        expectFigures(settled(await close()), figures);
        expect(figures.slash).to.equal(figures.buyerPays);
        await expectSolvent(market, [grant]);
      });

      it("more than a twentieth void suspends the pair's credit for 14 days, without credit fees", async () => {
        await market.warpTo(end() + 7 * DAY);
        const first = settled(await close());
        expect(isContested(expected({}), 60n)).to.equal(true);
        expect((first.args.settlement as { notDelivered: bigint }).notDelivered > 0n).to.equal(true);
        const until = await market.read<number>("reputation", "creditSuspendedUntil", [lease.buyer, lease.seller]);
        expect(until - (await market.now())).to.equal(14 * DAY);
        const again = await traded(market);
        const index = again.leases.findIndex(({ seller, buyer }) => seller === lease.seller && buyer === lease.buyer);
        await market.warpTo(again.terms.startSeconds + HOUR);
        const event = settled(await market.settle(again, index, market.receiptFor(again, index, 360)));
        const { delivered, notDelivered, fee, sellerGets } = event.args.settlement as Record<string, bigint>;
        expect([delivered, notDelivered, fee]).to.deep.equal([0n, 0n, 0n]);
        expect(sellerGets! > 0n).to.equal(true);
      });
    });
  });

  describe("pool and budgets", () => {
    it("a boost is paid by the week's budget; u, P − u and r add up; what is not needed is given back", async () => {
      const market = await Market.create(6);
      const settledLeases = await traded(market, [
        { region: market.region(5), side: "ask", price: 500, lots: 1, bond: 40_000_000n, silent: true },
      ]);
      await market.warpTo(settledLeases.terms.startSeconds + HOUR);
      for (const { index } of settledLeases.leases)
        await market.settle(settledLeases, index, market.receiptFor(settledLeases, index, 360));

      const sunday = await nextSunday(market);
      expect((await refusalOf(market.send(market.consortium, "escrow", "registerBudget", [2]))).name).to.equal(
        "NotLastDayOfWeek",
      );
      await market.warpTo(sunday + 60);
      for (const { id } of market.regions) await market.send(market.consortium, "escrow", "registerBudget", [id]);
      expect((await refusalOf(market.send(market.consortium, "escrow", "registerBudget", [2]))).name).to.equal(
        "AlreadyRegistered",
      );
      await market.warpTo(sunday + DAY + 60);
      const auctionId = await market.open(market.region(1));
      const week = await market.read<number>("escrow", "weekOf", [await market.now()]);
      const { poolStart, pool: whole } = await market.read<{ poolStart: bigint; pool: bigint }>("escrow", "pool");
      expect(poolStart).to.equal(whole);
      const [score, budget] = await market.read<readonly [number, bigint, bigint]>("escrow", "budgetOf", [2, week]);
      expect(score).to.be.greaterThan(0);
      expect(budget <= poolStart / 8n && budget > 0n).to.equal(true);

      const seller = market.region(2);
      const orders: TestOrder[] = [
        { region: seller, side: "bid", price: 2_000, lots: 2, boostBps: 200 },
        { region: market.region(6), side: "ask", price: 1_700, lots: 1 },
      ];
      const { grant } = await market.trade(auctionId, orders);
      const lease = grant!.leases[0]!;
      expect(lease.price).to.be.greaterThan(lease.buyerPrice);
      const reserved = async () => (await market.read<{ reserved: bigint }>("escrow", "pool")).reserved;
      const before = await reserved();
      await market.collectAll(auctionId, [0, 1]);
      expect(before > (await reserved())).to.equal(true);
      expect(await reserved()).to.equal(BigInt(lease.price - lease.buyerPrice) * 60n);
      await expectSolvent(market, [grant!]);
      await market.warpTo(grant!.terms.startSeconds + HOUR);
      await market.settle(grant!, 0, market.receiptFor(grant!, 0, 360));
      expect(await reserved()).to.equal(0n);
      await expectSolvent(market, [grant!]);
    });

    it("registration ends with the last second of Sunday, UTC, and is for registered regions", async () => {
      const market = await Market.create(2);
      const sunday = await nextSunday(market);
      const register = (id: number) => market.send(market.consortium, "escrow", "registerBudget", [id]);
      const at = (seconds: number) => market.chain.setNextBlockTimestamp({ timestamp: BigInt(seconds) });
      await at(sunday - 1);
      await market.chain.mine({ blocks: 1 });
      // A call on the pending block would be a second later.
      expect(await market.read("escrow", "weekOf", [sunday + DAY - 1])).to.equal(Math.floor((sunday / DAY + 3) / 7));
      expect(await market.read("escrow", "weekOf", [sunday + DAY])).to.equal(Math.floor((sunday / DAY + 3) / 7) + 1);
      await at(sunday);
      const first = market.events(await register(1)).find(({ name }) => name === "BudgetRegistered")!;
      expect(first.args.week).to.equal(Math.floor((sunday / DAY + 3) / 7) + 1);
      expect((await refusalOf(register(77))).name).to.equal("UnknownRegion");
      expect((await refusalOf(register(0))).name).to.equal("UnknownRegion");
      await at(sunday + DAY - 1);
      await register(2);
      await market.warpTo(sunday + DAY);
      expect((await refusalOf(register(2))).name).to.equal("NotLastDayOfWeek");
    });

    it("a boost that the budget does not cover becomes 0, and the order keeps its price", async () => {
      const market = await Market.create(4);
      const first = await traded(market);
      await market.warpTo(first.terms.startSeconds + HOUR);
      for (const { index } of first.leases) await market.settle(first, index, market.receiptFor(first, index, 360));
      await market.warpTo((await market.now()) + DAY);
      const auctionId = await market.open(market.region(1));
      const sealed = await market.commit(auctionId, {
        region: market.region(2),
        side: "bid",
        price: 2_000,
        lots: 1,
        boostBps: 100,
      });
      await market.passPhase(auctionId);
      const receipt = await market.send(market.consortium, "auction", "reveal", [auctionId, sealed]);
      expect(market.events(receipt).find(({ name }) => name === "OrderRevealed")!.args.bps).to.equal(0);
      await market.clear(auctionId);
      await market.collectAll(auctionId, [0]);
      await expectSolvent(market, []);
    });
  });
});

/** Regions 1 and 4 buy from 2 and 3, one hour; everything collected. */
async function traded(market: Market, more: readonly TestOrder[] = []): Promise<Grant> {
  const auctionId = await market.open(market.region(1));
  const { grant, sealed } = await market.trade(auctionId, [
    { region: market.region(1), side: "bid", price: 3_000, lots: 3 },
    { region: market.region(2), side: "ask", price: 1_000, lots: 2 },
    { region: market.region(3), side: "ask", price: 1_500, lots: 4 },
    { region: market.region(4), side: "bid", price: 2_800, lots: 2 },
    ...more,
  ]);
  await market.collectAll(
    auctionId,
    sealed.slice(0, 4).map(({ index }) => index),
  );
  return grant!;
}

async function nextSunday(market: Market): Promise<number> {
  let day = Math.floor((await market.now()) / DAY) + 1;
  while ((day + 3) % 7 !== 6) day++;
  return day * DAY;
}

function termsOf(market: Market, lease: LeaseTuple, creditFee = market.deployment.constants.escrow.creditFee) {
  const { lots, lotMbps, slots, buyerPrice, sellerPrice, price } = lease;
  const whole = Object.fromEntries(
    Object.entries({ lots, lotMbps, slots, buyerPrice, sellerPrice, price }).map(([k, v]) => [k, BigInt(v)]),
  );
  return {
    ...(whole as Record<"lots" | "lotMbps" | "slots" | "buyerPrice" | "sellerPrice" | "price", bigint>),
    bondShare: lease.bondShare,
    creditFee,
  };
}

function expectFigures(event: Event, figures: Settlement): void {
  const found = event.args.settlement as Record<keyof Settlement, bigint | number>;
  for (const [name, value] of Object.entries(figures))
    expect(BigInt(found[name as keyof Settlement]), name).to.equal(value);
}
