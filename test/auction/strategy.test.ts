import assert from "node:assert/strict";
import fc from "fast-check";
import { planAsk, planBid, priceCapFor, spareMbps } from "../../agent/auction/strategy.ts";

const TERMS = { lotMbps: 10, slots: 10, priceCap: 1_000_000 };
const RICH = { free: 10n ** 12n, allowance: 10n ** 12n, minBond: 1000n };
const BUY = { maxPrice: 4000, boost: 0, maxMbps: 600, budgetPerDay: 10 ** 9 };
const SELL = { floorPrice: 1205, reserveMbps: 100, perAuctionMbps: 400 };

describe("orders from policy", () => {
  it("bids are rounded down and asks up: no rounding works against the region that ordered", () => {
    const bid = planBid(100, { ...BUY, maxPrice: 4009 }, TERMS, RICH, 0n);
    const ask = planAsk(SELL, 400, TERMS, RICH);
    assert.ok(!("declined" in bid) && !("declined" in ask));
    assert.deepEqual([bid.price, ask.price], [400, 121]);
  });

  it("never bids beyond demand, policy, today's budget, the free balance or the allowance", () => {
    const amounts = fc.record({
      demand: fc.integer({ min: 1, max: 5000 }),
      maxMbps: fc.integer({ min: 1, max: 5000 }),
      budget: fc.integer({ min: 1, max: 10 ** 7 }),
      spent: fc.bigInt(0n, 10n ** 7n),
      free: fc.bigInt(0n, 10n ** 7n),
      allowance: fc.bigInt(0n, 10n ** 7n),
    });
    fc.assert(
      fc.property(amounts, ({ demand, maxMbps, budget, spent, free, allowance }) => {
        const plan = planBid(
          demand,
          { ...BUY, maxMbps, budgetPerDay: budget },
          TERMS,
          { free, allowance, minBond: 0n },
          spent,
        );
        if ("declined" in plan) return;
        const cost = BigInt(plan.price) * BigInt(plan.lots) * BigInt(TERMS.slots);
        assert.ok(plan.lots >= 1 && cost <= free && cost <= allowance && cost + spent <= BigInt(budget));
        assert.ok(plan.lots * TERMS.lotMbps <= maxMbps && (plan.lots - 1) * TERMS.lotMbps < demand);
      }),
    );
  });

  it("INV-3: the bond covers a fifth of the order and tells its size only to a factor of two", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), (lots) => {
        const plan = planBid(lots * 10, { ...BUY, maxMbps: 1000 }, TERMS, RICH, 0n);
        assert.ok(!("declined" in plan));
        assert.ok(5n * plan.bond >= BigInt(plan.price * plan.lots * TERMS.slots));
        assert.ok(plan.bond === 1n << BigInt(plan.bond.toString(2).length - 1), "a power of two");
      }),
    );
  });

  it("the price cap of an opening does not give the opener's own limit away", () => {
    const caps = new Set([3000, 3300, 3600, 4000].map((maxPrice) => priceCapFor({ ...BUY, maxPrice }, 10)));
    assert.equal(caps.size, 1);
    assert.ok([...caps].every((cap) => cap >= 800));
  });

  it("INV-11: what is sold or offered counts twice, and no sequence of offers exceeds the spare capacity", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 20 }),
        (spare, wishes) => {
          let offered = 0;
          for (const wish of wishes) {
            const plan = planAsk(
              { ...SELL, reserveMbps: 0, perAuctionMbps: wish },
              spareMbps(spare, 0, offered),
              TERMS,
              RICH,
            );
            if (!("declined" in plan)) offered += plan.lots * TERMS.lotMbps;
          }
          assert.ok(2 * offered <= spare, `${offered} twice is above ${spare}`);
        },
      ),
    );
  });

  it("declines with the reason, where nothing can be ordered", () => {
    const why = (plan: ReturnType<typeof planBid>) => ("declined" in plan ? plan.declined : "");
    assert.match(why(planBid(100, BUY, TERMS, { ...RICH, free: 10n }, 0n)), /free on chain/);
    assert.match(why(planBid(100, BUY, TERMS, { ...RICH, allowance: 10n }, 0n)), /allowance/);
    assert.match(why(planBid(100, BUY, TERMS, RICH, 10n ** 9n)), /budget/);
    assert.match(why(planAsk(SELL, 5, TERMS, RICH)), /spare/);
    assert.match(why(planAsk({ ...SELL, floorPrice: 10 ** 9 }, 400, TERMS, RICH)), /cap/);
    assert.match(why(planAsk(SELL, 400, TERMS, { ...RICH, free: 10n })), /bond/);
  });
});
