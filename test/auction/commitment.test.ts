import { expect } from "chai";
import type { Hex } from "viem";
import { commitmentOf, type OrderToSeal } from "../../agent/auction/commitment.ts";

const auction: Hex = `0x${"a1".repeat(20)}`;
const order: OrderToSeal = {
  chainId: 7357,
  auction,
  auctionId: 3,
  regionId: 2,
  side: "bid",
  price: 900,
  lots: 2,
  boostBps: 0,
  salt: `0x${"5a".repeat(32)}`,
};

describe("auction/commitment", () => {
  it("INV-3: chain, contract, auction, region and every figure are bound", () => {
    const changes: Partial<OrderToSeal>[] = [
      { chainId: 1 },
      { auction: `0x${"a2".repeat(20)}` },
      { auctionId: 4 },
      { regionId: 3 },
      { side: "ask" },
      { price: 901 },
      { lots: 3 },
      { boostBps: 1 },
      { salt: `0x${"5b".repeat(32)}` },
    ];
    const seen = new Set([commitmentOf(order), ...changes.map((change) => commitmentOf({ ...order, ...change }))]);
    expect(seen.size).to.equal(changes.length + 1);
  });
});
