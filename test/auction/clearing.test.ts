import { expect } from "chai";
import fc from "fast-check";
import {
  budgetNeed,
  buyerUnitUp,
  clearBook,
  effectivePrice,
  findCertificate,
  handicapOf,
  maxBoost,
  type RevealedOrder,
  sellerUnitDown,
} from "../../agent/auction/clearing.ts";
import { overlapsOf } from "../../agent/auction/leases.ts";

const CAP = 40;

const book = fc
  .array(
    fc.record({
      side: fc.constantFrom("bid" as const, "ask" as const),
      price: fc.integer({ min: 1, max: CAP }),
      lots: fc.integer({ min: 1, max: 4 }),
      score: fc.constantFrom(0, 500, 1000),
      boost: fc.integer({ min: 0, max: 2500 }),
    }),
    { maxLength: 9 },
  )
  .map((orders) =>
    orders.map(
      ({ boost, ...order }, index): RevealedOrder => ({
        ...order,
        index,
        bps: order.side === "ask" ? handicapOf(order.score) : boost % (maxBoost(order.score) + 1),
      }),
    ),
  );

describe("auction/clearing", () => {
  it("trades as much value as any matching could: a brute-force optimum on small books", () => {
    fc.assert(
      fc.property(book, (orders) => {
        const units = (side: "bid" | "ask") =>
          orders
            .filter((o) => o.side === side)
            .flatMap((o) => Array.from({ length: o.lots }, () => effectivePrice(o, CAP)));
        const bids = units("bid").sort((a, b) => Number(b - a));
        const asks = units("ask").sort((a, b) => Number(a - b));
        let best = 0n;
        let gain = 0n;
        for (let n = 0; n < Math.min(bids.length, asks.length); n++) {
          gain += bids[n]! - asks[n]!;
          if (gain > best) best = gain;
        }
        const fills = clearBook(orders, CAP)?.fills ?? new Map<number, number>();
        const ours = orders.reduce(
          (sum, o) => sum + (o.side === "bid" ? 1n : -1n) * BigInt(fills.get(o.index) ?? 0) * effectivePrice(o, CAP),
          0n,
        );
        expect(ours).to.equal(best);
      }),
      { numRuns: 500 },
    );
  });

  it("no way of filling orders at all is worth more: every combination of fills, on the smallest books", () => {
    fc.assert(
      fc.property(book, (orders) => {
        const small = orders.slice(0, 6).map((order) => ({ ...order, lots: Math.min(order.lots, 3) }));
        const fills = clearBook(small, CAP)?.fills ?? new Map<number, number>();
        const worth = (won: (order: RevealedOrder) => number) =>
          small.reduce((sum, o) => sum + (o.side === "bid" ? 1n : -1n) * BigInt(won(o)) * effectivePrice(o, CAP), 0n);
        expect(worth(({ index }) => fills.get(index) ?? 0)).to.equal(bestOf(small, 0, 0, 0n));
      }),
      { numRuns: 300 },
    );
  });

  it("INV-5: no filled order is worse than its limit, no unfilled order outranks a filled one, money adds up", () => {
    fc.assert(
      fc.property(book, (orders) => {
        const clearing = clearBook(orders, CAP);
        if (!clearing) return;
        const { fills, scaledPrice, price } = clearing;
        let balance = 0n;
        const sold = { bid: 0, ask: 0 };
        for (const order of orders) {
          const fill = fills.get(order.index) ?? 0;
          sold[order.side] += fill;
          if (order.side === "bid") {
            const unit = buyerUnitUp(scaledPrice, order.bps);
            if (fill > 0) expect(unit <= BigInt(order.price)).to.equal(true);
            if (fill > 0) expect(price - unit <= budgetNeed(order, CAP)).to.equal(true);
            balance += BigInt(fill) * (unit + (price - unit));
          } else {
            const unit = sellerUnitDown(scaledPrice, order.bps);
            if (fill > 0) expect(unit >= BigInt(order.price)).to.equal(true);
            balance -= BigInt(fill) * (unit + (price - unit));
          }
          for (const other of orders) {
            if (other.side !== order.side || fill > 0 || (fills.get(other.index) ?? 0) === 0) continue;
            const better =
              order.side === "bid"
                ? effectivePrice(order, CAP) > effectivePrice(other, CAP)
                : effectivePrice(order, CAP) < effectivePrice(other, CAP);
            expect(better).to.equal(false);
          }
        }
        expect(sold.bid).to.equal(sold.ask);
        expect(balance).to.equal(0n);
      }),
      { numRuns: 500 },
    );
  });

  it("INV-6: the outcome does not depend on the order in which the reveals were read", () => {
    fc.assert(
      fc.property(book, (orders) => {
        expect(clearBook([...orders].reverse(), CAP)).to.deep.equal(clearBook(orders, CAP));
      }),
      { numRuns: 200 },
    );
  });

  it("splitting an order in two neighbours changes neither the price nor what is won together", () => {
    fc.assert(
      fc.property(book, fc.nat(), (orders, pick) => {
        const target = orders[pick % Math.max(1, orders.length)];
        if (!target || target.lots < 2) return;
        const split = orders
          .flatMap((o) =>
            o === target
              ? [
                  { ...o, lots: 1 },
                  { ...o, lots: o.lots - 1 },
                ]
              : [o],
          )
          .map((o, index) => ({ ...o, index }));
        const [whole, parts] = [clearBook(orders, CAP), clearBook(split, CAP)];
        expect(parts?.scaledPrice).to.equal(whole?.scaledPrice);
        const won = (parts?.fills.get(target.index) ?? 0) + (parts?.fills.get(target.index + 1) ?? 0);
        expect(won).to.equal(whole?.fills.get(target.index) ?? 0);
      }),
      { numRuns: 500 },
    );
  });

  it("leases are the overlaps of fills: at most bids + asks − 1, contiguous on each ask", () => {
    fc.assert(
      fc.property(book, (orders) => {
        const clearing = clearBook(orders, CAP);
        if (!clearing) return;
        const overlaps = overlapsOf(orders, clearing.fills);
        expect(overlaps.length).to.be.lessThan(clearing.fills.size);
        const leased = new Map<number, number>();
        for (const { ask, bid, lots, before } of overlaps) {
          expect(before).to.equal(leased.get(ask) ?? 0);
          for (const index of [ask, bid]) leased.set(index, (leased.get(index) ?? 0) + lots);
        }
        expect(new Map([...leased].sort((a, b) => a[0] - b[0]))).to.deep.equal(
          new Map([...clearing.fills].sort((a, b) => a[0] - b[0])),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("nothing to trade has no certificate", () => {
    expect(findCertificate([], CAP)).to.equal(null);
    expect(findCertificate([{ index: 0, side: "bid", price: 9, lots: 1, score: 0, bps: 0 }], CAP)).to.equal(null);
  });
});

/** Every combination, with as many lots sold as bought. */
function bestOf(orders: readonly RevealedOrder[], at: number, balance: number, worth: bigint): bigint {
  const order = orders[at];
  if (!order) return balance === 0 ? worth : -(2n ** 128n);
  const sign = order.side === "bid" ? 1 : -1;
  let best = -(2n ** 128n);
  for (let lots = 0; lots <= order.lots; lots++) {
    const gain = BigInt(sign * lots) * effectivePrice(order, CAP);
    const found = bestOf(orders, at + 1, balance + sign * lots, worth + gain);
    if (found > best) best = found;
  }
  return best;
}
