import { expect } from "chai";
import { leaseRoot } from "../../agent/auction/leases.ts";
import { DAY, Market, NONE, placeAt, refusalOf, type TestOrder, type TestRegion, type termsOf } from "./market.ts";
import { expectSolvent } from "./solvency.ts";

const PHASES = { commit: 0, reveal: 1, clear: 2, cleared: 3, cancelled: 4 } as const;
const EMPTY = `0x${"00".repeat(32)}` as const;
const SEALED = `0x${"11".repeat(32)}` as const;

describe("CapacityAuction", function () {
  this.timeout(60_000);

  describe("one auction from open to collected", () => {
    let market: Market;
    let orders: TestOrder[];
    beforeEach(async () => {
      market = await Market.create(5);
      const [one, two, three, four] = market.regions as [TestRegion, TestRegion, TestRegion, TestRegion];
      orders = [
        { region: one, side: "bid", price: 3_000, lots: 3 },
        { region: two, side: "ask", price: 1_000, lots: 2 },
        { region: three, side: "ask", price: 1_500, lots: 4 },
        { region: four, side: "bid", price: 1_200, lots: 1 },
      ];
    });

    it("INV-5: nobody pays above or receives below its limit; supply sold is demand filled", async () => {
      const auctionId = await market.open(market.region(1));
      const { grant, sealed } = await market.trade(auctionId, orders);
      expect(grant!.leases.map(({ seller, buyer, lots }) => [seller, buyer, lots])).to.deep.equal([
        [2, 1, 2],
        [3, 1, 1],
      ]);
      for (const { buyerPrice, sellerPrice, price } of grant!.leases) {
        expect(buyerPrice).to.be.at.most(3_000);
        expect(sellerPrice).to.be.at.least(1_000);
        expect(price).to.be.at.least(buyerPrice);
      }
      const fills = await Promise.all(
        sealed.map(({ index }) => market.read<number>("auction", "fillOf", [auctionId, index])),
      );
      expect(fills).to.deep.equal([3, 2, 1, 0]);
      await market.collectAll(
        auctionId,
        sealed.map(({ index }) => index),
      );
      await expectSolvent(market, [grant!]);
      // What the losing bid locked is free again, and the ask keeps bond only for what it sold.
      expect((await market.account(market.region(4))).locked).to.equal(0n);
      expect((await market.account(market.region(3))).bonded).to.equal(72_000n / 4n);
    });

    it("the root of the leases is the one computed from the event", async () => {
      const auctionId = await market.open(market.region(1));
      const { grant } = await market.trade(auctionId, orders);
      expect(await market.read("escrow", "leaseRootOf", [auctionId])).to.equal(leaseRoot(grant!.words, grant!.terms));
    });

    it("INV-6: the outcome does not depend on the order of the reveals", async () => {
      const words: (readonly bigint[])[] = [];
      for (const reverse of [false, true]) {
        const again = await Market.create(5);
        const auctionId = await again.open(again.region(1));
        const sealed = [];
        for (const order of orders)
          sealed.push(await again.commit(auctionId, { ...order, region: again.region(order.region.id) }));
        await again.passPhase(auctionId);
        await again.send(again.consortium, "auction", "revealMany", [auctionId, reverse ? sealed.reverse() : sealed]);
        words.push((await again.clear(auctionId)).grant!.words);
      }
      expect(words[0]).to.deep.equal(words[1]);
    });

    it("a bond of an order never revealed goes to the pool; the deposit comes back if any order was revealed", async () => {
      const before = await market.account(market.region(1));
      const auctionId = await market.open(market.region(1));
      const silent = [...orders, { region: market.region(5), side: "ask" as const, price: 900, lots: 1, silent: true }];
      const { grant, sealed } = await market.trade(auctionId, silent);
      const { pool } = await market.read<{ pool: bigint }>("escrow", "pool");
      expect(pool).to.equal(sealed[4]!.bond);
      await market.collectAll(auctionId, [0, 1, 2, 3]);
      await expectSolvent(market, [grant!]);
      const after = await market.account(market.region(1));
      expect(before.free - after.free).to.equal(after.locked);
    });

    it("an auction in which no order is revealed loses its deposit to the pool", async () => {
      const auctionId = await market.open(market.region(1));
      const { grant, sealed } = await market.trade(
        auctionId,
        orders.map((order) => ({ ...order, silent: true })),
      );
      expect(grant).to.equal(null);
      const lost = sealed.reduce((sum, { bond }) => sum + bond, 0n) + market.deployment.constants.auction.openDeposit;
      expect((await market.read<{ pool: bigint }>("escrow", "pool")).pool).to.equal(lost);
      await expectSolvent(market, []);
    });

    it("a batch of reveals skips an order that fails and names the reason; it can be tried again", async () => {
      const auctionId = await market.open(market.region(1));
      const sealed = [];
      for (const order of orders) sealed.push(await market.commit(auctionId, order));
      await market.passPhase(auctionId);
      const broken = { ...sealed[1]!, salt: EMPTY };
      const receipt = await market.send(market.consortium, "auction", "revealMany", [
        auctionId,
        [sealed[0], broken, sealed[2]],
      ]);
      const names = market.events(receipt).map(({ name }) => name);
      expect(names).to.deep.equal(["OrderRevealed", "RevealSkipped", "OrderRevealed"]);
      await market.send(market.consortium, "auction", "reveal", [auctionId, sealed[1]]);
      expect((await market.read<{ revealed: number }>("auction", "auction", [auctionId])).revealed).to.equal(3);
    });

    it("one-sided and uncrossed books clear by the empty certificate, and everything is released", async () => {
      const [one, two] = [market.region(1), market.region(2)];
      const books: TestOrder[][] = [
        [],
        [{ region: one, side: "bid", price: 100, lots: 1 }],
        [{ region: two, side: "ask", price: 100, lots: 1 }],
        [
          { region: one, side: "bid", price: 100, lots: 1 },
          { region: two, side: "ask", price: 100, lots: 1 },
        ],
      ];
      for (const book of books) {
        const auctionId = await market.open(one);
        const { grant, sealed } = await market.trade(auctionId, book);
        expect(grant).to.equal(null);
        if (sealed.length > 0)
          await market.collectAll(
            auctionId,
            sealed.map(({ index }) => index),
          );
      }
      for (const region of market.regions) {
        const { locked, bonded } = await market.account(region);
        expect([locked, bonded]).to.deep.equal([0n, 0n]);
      }
      await expectSolvent(market, []);
    });

    it("INV-4: anyone can end an auction: cancel releases everything but bonds of orders not revealed", async () => {
      const auctionId = await market.open(market.region(1));
      const sealed = [];
      for (const order of orders) sealed.push(await market.commit(auctionId, order));
      await market.passPhase(auctionId);
      for (const order of sealed.slice(0, 3))
        await market.send(market.consortium, "auction", "reveal", [auctionId, order]);
      const { cancelFromBlock } = await market.read<{ cancelFromBlock: bigint }>("auction", "auction", [auctionId]);
      expect((await refusalOf(market.send(market.consortium, "auction", "cancel", [auctionId]))).name).to.equal(
        "CancelTooEarly",
      );
      await market.chain.mine({ blocks: Number(cancelFromBlock - (await market.client.getBlockNumber())) });
      await market.send(market.consortium, "auction", "cancel", [auctionId]);
      await market.collectAll(auctionId, [0, 1, 2]);
      expect((await market.read<{ pool: bigint }>("escrow", "pool")).pool).to.equal(sealed[3]!.bond);
      for (const region of market.regions) expect((await market.account(region)).locked).to.equal(0n);
      await expectSolvent(market, []);
      expect((await refusalOf(market.send(market.consortium, "auction", "cancel", [auctionId]))).name).to.equal(
        "AlreadyCancelled",
      );
      expect((await refusalOf(market.send(market.consortium, "auction", "clear", [auctionId, 0, 1]))).name).to.equal(
        "AlreadyCancelled",
      );
    });

    it("commit and reveal are accepted in the last block of their phase and refused a block later", async () => {
      const auctionId = await market.open(market.region(1));
      type Blocks = { readonly lastCommitBlock: bigint; readonly lastRevealBlock: bigint };
      const { lastCommitBlock, lastRevealBlock } = await market.read<Blocks>("auction", "auction", [auctionId]);
      /** The next transaction is in this block. */
      const upTo = async (block: bigint) => {
        const missing = block - 1n - (await market.client.getBlockNumber());
        if (missing > 0n) await market.chain.mine({ blocks: Number(missing) });
      };
      const early = await market.commit(auctionId, orders[1]!);
      await upTo(lastCommitBlock);
      const last = await market.commit(auctionId, orders[0]!);
      const late = market.send(market.region(5).agent, "auction", "commit", [auctionId, 5, 0, 1_000n, SEALED]);
      expect((await refusalOf(late)).name).to.equal("WrongPhase");

      await upTo(lastRevealBlock);
      await market.send(market.consortium, "auction", "reveal", [auctionId, last]);
      const reveal = market.send(market.consortium, "auction", "reveal", [auctionId, early]);
      expect((await refusalOf(reveal)).name).to.equal("WrongPhase");
    });

    it("phases depend on blocks only: each call is refused in every other phase", async () => {
      const auctionId = await market.open(market.region(1));
      const phase = () => market.read<number>("auction", "phaseOf", [auctionId]);
      const sealed = [];
      for (const order of orders) sealed.push(await market.commit(auctionId, order));
      const refused = async (fn: string, args: readonly unknown[]) =>
        (await refusalOf(market.send(market.consortium, "auction", fn, args))).name;

      expect(await phase()).to.equal(PHASES.commit);
      expect(await refused("reveal", [auctionId, sealed[0]])).to.equal("WrongPhase");
      expect(await refused("clear", [auctionId, 0, 1])).to.equal("WrongPhase");
      expect(await refused("collect", [auctionId, [0]])).to.equal("WrongPhase");
      await market.warpTo((await market.now()) + 10 * DAY);
      expect(await phase()).to.equal(PHASES.commit);

      await market.passPhase(auctionId);
      await market.send(market.consortium, "auction", "poke", []);
      expect(await phase()).to.equal(PHASES.reveal);
      const late = market.send(market.region(5).agent, "auction", "commit", [auctionId, 5, 0, 1_000n, SEALED]);
      expect((await refusalOf(late)).name).to.equal("WrongPhase");
      expect(await refused("clear", [auctionId, 0, 1])).to.equal("WrongPhase");
      for (const order of sealed) await market.send(market.consortium, "auction", "reveal", [auctionId, order]);
      expect(await phase()).to.equal(PHASES.clear);
      await market.clear(auctionId);
      expect(await phase()).to.equal(PHASES.cleared);
      expect(await refused("clear", [auctionId, 0, 1])).to.equal("AlreadyCleared");
      expect(await refused("cancel", [auctionId])).to.equal("AlreadyCleared");
      expect(await refused("reveal", [auctionId, sealed[0]])).to.equal("AlreadyRevealed");
    });

    it("every wrong certificate is refused and changes nothing", async () => {
      const auctionId = await market.open(market.region(1));
      const sealed = [];
      for (const order of orders) sealed.push(await market.commit(auctionId, order));
      await market.passPhase(auctionId);
      await market.send(market.consortium, "auction", "revealMany", [auctionId, sealed]);
      const names = [0, 1, 2, 3, 4, NONE];
      for (const bid of names)
        for (const ask of names) {
          if (bid === 0 && ask === 2) continue;
          const { name } = await refusalOf(market.send(market.consortium, "auction", "clear", [auctionId, bid, ask]));
          expect(name, `${bid}, ${ask}`).to.equal("CertificateWrong");
        }
      await market.send(market.consortium, "auction", "clear", [auctionId, 0, 2]);
    });
  });

  describe("INV-3: sealed", () => {
    it("no part of an opening can be changed: side, price, lots, boost, bond, salt, region, index", async () => {
      const market = await Market.create(2);
      const auctionId = await market.open(market.region(1));
      const sealed = await market.commit(auctionId, { region: market.region(1), side: "bid", price: 2_000, lots: 2 });
      await market.passPhase(auctionId);
      const changes = [
        { side: 1 },
        { price: 1_999 },
        { lots: 1 },
        { boostBps: 1 },
        { bond: sealed.bond + 1n },
        { salt: EMPTY },
        { regionId: 2 },
      ];
      for (const change of changes)
        expect(
          (await refusalOf(market.send(market.consortium, "auction", "reveal", [auctionId, { ...sealed, ...change }])))
            .name,
        ).to.equal("WrongOpening");
      expect(
        (await refusalOf(market.send(market.consortium, "auction", "reveal", [auctionId, { ...sealed, index: 1 }])))
          .name,
      ).to.equal("UnknownOrder");
      expect(
        (await refusalOf(market.send(market.consortium, "auction", "reveal", [auctionId, { ...sealed, index: 600 }])))
          .name,
      ).to.equal("UnknownOrder");
    });
  });

  describe("who may order", () => {
    let market: Market;
    before(async () => {
      market = await Market.create(4);
      await market.admit({ place: placeAt(-35, 150) });
      await market.admit({ fabrics: 2n });
      await market.admit({ attributes: 0 });
      await market.admit({ organisation: 1 });
    });
    const commit = async (
      options: Partial<ReturnType<typeof termsOf>>,
      id: number,
      side = 0,
      bond = 1_000n,
      from = market.region(id).agent,
    ) => {
      const auctionId = await market.open(market.region(1), options);
      await market.commit(auctionId, { region: market.region(1), side: "bid", price: 1, lots: 1 });
      return (await refusalOf(market.send(from, "auction", "commit", [auctionId, id, side, bond, SEALED]))).name;
    };

    it("unknown auction", async () => {
      expect(
        (await refusalOf(market.send(market.region(1).agent, "auction", "commit", [999, 1, 0, 1_000n, SEALED]))).name,
      ).to.equal("UnknownAuction");
      expect((await refusalOf(market.read("auction", "auction", [999]))).name).to.equal("UnknownAuction");
    });
    it("only the region's own agent key or treasury", async () => {
      expect(await commit({}, 2, 0, 1_000n, market.region(3).agent)).to.equal("NotAuthorised");
      expect(await commit({}, 99, 0, 1_000n, market.region(3).agent)).to.equal("NotAuthorised");
    });
    it("not outside the cell", async () => expect(await commit({}, 5)).to.equal("NotInCell"));
    it("not off the fabric", async () => expect(await commit({}, 6)).to.equal("NotOnFabric"));
    it("not without the attributes", async () =>
      expect(await commit({ attributes: 1 }, 7)).to.equal("AttributesMissing"));
    it("a seller not below the required score; a buyer needs none", async () =>
      expect(await commit({ requiresMinScore: true }, 2, 1)).to.equal("ScoreTooLow"));
    it("a region not twice", async () => expect(await commit({}, 1)).to.equal("AlreadyOrdered"));
    it("an organisation not on both sides", async () => expect(await commit({}, 8, 1)).to.equal("OtherSide"));
    it("once and on one side, for any number of the organisation", async () => {
      for (const organisation of [64, 4_096, 2 ** 32 - 1]) {
        const [first, second] = [await market.admit({ organisation }), await market.admit({ organisation })];
        const auctionId = await market.open(market.region(1));
        await market.commit(auctionId, { region: first, side: "bid", price: 1, lots: 1 });
        const ordering = (region: TestRegion, side: number) =>
          market.send(region.agent, "auction", "commit", [auctionId, region.id, side, 1_000n, SEALED]);
        expect((await refusalOf(ordering(first, 0))).name).to.equal("AlreadyOrdered");
        expect((await refusalOf(ordering(second, 1))).name).to.equal("OtherSide");
        expect(await market.read("auction", "hasOrdered", [auctionId, first.id])).to.equal(true);
        expect(await market.read("auction", "hasOrdered", [auctionId, second.id])).to.equal(false);
        await ordering(second, 0);
      }
    });
    it("not with a bond below the smallest", async () => expect(await commit({}, 2, 0, 999n)).to.equal("BondTooSmall"));
    it("not beyond the free balance", async () =>
      expect(await commit({}, 2, 0, 3_000_000_000n, market.region(2).treasury)).to.equal("BalanceShort"));
    it("the agent not beyond its allowance", async () =>
      expect(await commit({}, 2, 0, 1_500_000_000n)).to.equal("AllowanceShort"));
    it("not a suspended region, which can still reveal and collect", async () => {
      const auctionId = await market.open(market.region(1));
      const sealed = await market.commit(auctionId, { region: market.region(3), side: "bid", price: 10, lots: 1 });
      await market.send(market.consortium, "membership", "suspend", [3]);
      const other = await market.open(market.region(1));
      expect(
        (await refusalOf(market.send(market.region(3).agent, "auction", "commit", [other, 3, 0, 1_000n, SEALED]))).name,
      ).to.equal("NotActive");
      expect((await refusalOf(market.open(market.region(3)))).name).to.equal("NotActive");
      await market.passPhase(auctionId);
      await market.send(market.region(3).agent, "auction", "reveal", [auctionId, sealed]);
      await market.clear(auctionId);
      await market.collectAll(auctionId, [0]);
      expect((await market.account(market.region(3))).locked).to.equal(0n);
      await market.send(market.consortium, "membership", "reinstate", [3]);
    });
    it("the treasury's orders do not count against the allowance of the agent", async () => {
      const before = (await market.account(market.region(2))).allowance;
      const auctionId = await market.open(market.region(1));
      const sealed = await market.commit(
        auctionId,
        { region: market.region(2), side: "bid", price: 10, lots: 1 },
        market.region(2).treasury,
      );
      await market.passPhase(auctionId);
      await market.send(market.region(2).agent, "auction", "reveal", [auctionId, sealed]);
      expect((await market.account(market.region(2))).allowance).to.equal(before);
    });
  });

  describe("the terms of an auction: refused", () => {
    let market: Market;
    before(async () => {
      market = await Market.create(3);
    });
    const bad: [string, Partial<ReturnType<typeof termsOf>>, string][] = [
      ["a cell below the least radius", { cosine: 999_999_999 }, "OutOfRange"],
      ["a cosine below −1", { cosine: -1_000_000_001 }, "OutOfRange"],
      ["no lot", { lotMbps: 0 }, "OutOfRange"],
      ["a giant lot", { lotMbps: 2 ** 20 }, "OutOfRange"],
      ["fewer than five slots", { slots: 4 }, "OutOfRange"],
      ["no price", { priceCap: 0 }, "OutOfRange"],
      ["a start that never comes", { earliestStart: 2 ** 39 }, "OutOfRange"],
      ["a fabric that the opener is not on", { fabric: 1 }, "NotOnFabric"],
      ["a fabric that is none", { fabric: 200 }, "NotOnFabric"],
      ["an auction that is none", { earlier: 77 }, "NotOpener"],
    ];
    for (const [what, options, error] of bad)
      it(`not ${what}`, async () =>
        expect((await refusalOf(market.open(market.region(1), options))).name).to.equal(error));
    it("joins the mesh of an earlier auction of the same opener, and of no other region", async () => {
      const first = await market.open(market.region(1));
      const second = await market.open(market.region(1), { earlier: first });
      const third = await market.open(market.region(1), { earlier: second });
      expect((await market.read<{ mesh: number }>("auction", "auction", [third])).mesh).to.equal(first);
      expect((await refusalOf(market.open(market.region(2), { earlier: first }))).name).to.equal("NotOpener");
    });
  });

  describe("the values of a reveal: refused", () => {
    let market: Market;
    before(async () => {
      market = await Market.create(3);
    });
    const bad: [string, Omit<TestOrder, "region">, string][] = [
      ["price 0", { side: "bid", price: 0, lots: 1, bond: 5_000n }, "OutOfRange"],
      ["a price over the cap", { side: "ask", price: 10_001, lots: 1, bond: 10_000_000n }, "OutOfRange"],
      ["no lots", { side: "bid", price: 1, lots: 0, bond: 5_000n }, "OutOfRange"],
      ["too many lots", { side: "ask", price: 1, lots: 1_000_001, bond: 100_000_000n }, "OutOfRange"],
      ["a bond below a fifth", { side: "ask", price: 1_000, lots: 1, bond: 11_999n }, "BondTooSmall"],
      ["more boost than the score allows", { side: "bid", price: 100, lots: 1, boostBps: 1 }, "BoostTooHigh"],
      ["a boost on an ask", { side: "ask", price: 100, lots: 1, boostBps: 1 }, "BoostTooHigh"],
      [
        "more than the free balance",
        { side: "bid", price: 10_000, lots: 100_000, bond: 12_000_000_000n },
        "BalanceShort",
      ],
      ["more than the allowance", { side: "bid", price: 10_000, lots: 2_000, bond: 240_000_000n }, "AllowanceShort"],
    ];
    for (const [what, order, error] of bad)
      it(`not ${what}`, async () => {
        const rich = market.region(2);
        if (order.bond! > 2_000_000_000n) await market.fund(rich, order.bond!);
        const auctionId = await market.open(market.region(1));
        const from = order.bond! > 1_000_000_000n ? rich.treasury : rich.agent;
        const sealed = await market.commit(auctionId, { ...order, region: rich }, from);
        await market.passPhase(auctionId);
        expect((await refusalOf(market.send(rich.agent, "auction", "reveal", [auctionId, sealed]))).name).to.equal(
          error,
        );
      });
  });

  describe("collect", () => {
    it("once for each revealed order, by anyone, and not for an unknown order", async () => {
      const market = await Market.create(3);
      const auctionId = await market.open(market.region(1));
      const { sealed } = await market.trade(auctionId, [
        { region: market.region(1), side: "bid", price: 100, lots: 1 },
        { region: market.region(2), side: "ask", price: 50, lots: 1 },
        { region: market.region(3), side: "ask", price: 50, lots: 1, silent: true },
      ]);
      const collected = market.events(await market.collectAll(auctionId, [0, 1])).map(({ args }) => args);
      expect(collected.map(({ fill, budgetBack }) => [fill, budgetBack])).to.deep.equal([
        [1, 0n],
        [1, 0n],
      ]);
      for (const [indices, error] of [
        [[0], "AlreadyCollected"],
        [[2], "NotRevealed"],
        [[3], "UnknownOrder"],
      ] as const)
        expect((await refusalOf(market.collectAll(auctionId, indices))).name).to.equal(error);
      expect(sealed.length).to.equal(3);
    });
  });
});
