import assert from "node:assert/strict";
import fc from "fast-check";
import { isLastDayOfWeek, weekOf } from "../../agent/auction/calendar.ts";
import { planAsk, planBid, priceCapFor, spareMbps } from "../../agent/auction/strategy.ts";

const TERMS = { lotMbps: 10, slots: 10, priceCap: 1_000_000 };
const RICH = { free: 10n ** 12n, allowance: 10n ** 12n, minBond: 1000n };
const BUY = { maxPrice: 4000, boost: 0, maxMbps: 600, budgetPerDay: 10 ** 9 };
const NO_PRIORITY = { score: 0, budgetLeft: 0n };
const SELL = { floorPrice: 1205, reserveMbps: 100, perAuctionMbps: 400 };

describe("orders from policy", () => {
  it("bids are rounded down and asks up: no rounding works against the region that ordered", () => {
    const bid = planBid(100, { ...BUY, maxPrice: 4009 }, TERMS, RICH, NO_PRIORITY, 0n);
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
          NO_PRIORITY,
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
        const plan = planBid(lots * 10, { ...BUY, maxMbps: 1000 }, TERMS, RICH, NO_PRIORITY, 0n);
        assert.ok(!("declined" in plan));
        assert.ok(5n * plan.bond >= BigInt(plan.price * plan.lots * TERMS.slots));
        assert.ok(plan.bond === 1n << BigInt(plan.bond.toString(2).length - 1), "a power of two");
      }),
    );
  });

  it("a boost is the policy's, at most a quarter times the score, and none where it could cost the bond", () => {
    const boostOf = (boost: number, priority: { score: number | null; budgetLeft: bigint }) => {
      const plan = planBid(100, { ...BUY, boost }, TERMS, RICH, priority, 0n);
      assert.ok(!("declined" in plan));
      assert.match(plan.reasons.join(" "), /boost/);
      return plan.boostBps;
    };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 250 }), fc.integer({ min: 0, max: 1000 }), (permille, score) => {
        const bps = boostOf(permille / 1000, { score, budgetLeft: 1n });
        assert.ok(bps * 1000 <= 2500 * score, "what the contract would refuse to open");
        assert.equal(bps, Math.min(permille * 10, Math.floor((2500 * score) / 1000)));
      }),
    );
    assert.equal(boostOf(0.25, { score: null, budgetLeft: 1n }), 0);
    assert.equal(boostOf(0.25, { score: 1000, budgetLeft: 0n }), 0);
  });

  it("days and weeks are the contracts': Monday begins a week, Sunday registers for the next", () => {
    const at = (text: string) => Date.parse(text) / 1000;
    assert.equal(weekOf(at("2026-11-23T00:00:00Z")), weekOf(at("2026-11-29T23:59:59Z")));
    assert.equal(weekOf(at("2026-11-30T00:00:00Z")), weekOf(at("2026-11-29T00:00:00Z")) + 1);
    assert.deepEqual(
      ["2026-11-28", "2026-11-29", "2026-11-30"].map((day) => isLastDayOfWeek(at(`${day}T12:00:00Z`))),
      [false, true, false],
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
    const reason = (plan: ReturnType<typeof planBid>) => ("declined" in plan ? plan.declined : "");
    assert.match(reason(planBid(100, BUY, TERMS, { ...RICH, free: 10n }, NO_PRIORITY, 0n)), /free balance/);
    assert.match(reason(planBid(100, BUY, TERMS, { ...RICH, allowance: 10n }, NO_PRIORITY, 0n)), /allowance/);
    assert.match(reason(planBid(100, BUY, TERMS, RICH, NO_PRIORITY, 10n ** 9n)), /budget/);
    assert.match(reason(planAsk(SELL, 5, TERMS, RICH)), /spare/);
    assert.match(reason(planAsk({ ...SELL, floorPrice: 10 ** 9 }, 400, TERMS, RICH)), /cap/);
    assert.match(reason(planAsk(SELL, 400, TERMS, { ...RICH, free: 10n })), /bond/);
  });
});
