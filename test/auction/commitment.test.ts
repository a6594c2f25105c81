import { expect } from "chai";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { commitmentOf, type OrderToSeal, saltOf, saltRequest } from "../../agent/auction/commitment.ts";

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

  it("a wallet finds its salt again on any machine, and another auction has another salt", async () => {
    const wallet = privateKeyToAccount(`0x${"11".repeat(32)}`);
    const saltFor = async (auctionId: number) =>
      saltOf(await wallet.signTypedData(saltRequest(7357, auction, auctionId, 2)));
    expect(await saltFor(3)).to.equal(await saltFor(3));
    expect(await saltFor(3)).to.not.equal(await saltFor(4));
  });
});
