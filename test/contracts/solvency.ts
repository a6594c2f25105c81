/** INV-1, read from the chain: every token of the escrow stands in an account, a bond, a deposit or the pool. */
import { expect } from "chai";
import type { Grant, Market } from "./market.ts";

/** @param grants all leases ever made, of which those that are not settled hold their budget's part. */
export async function expectSolvent(market: Market, grants: readonly Grant[]): Promise<void> {
  const { escrow, constants } = market.deployment;
  let units = 0n;
  for (const region of market.regions) {
    const { free, locked, bonded, membershipBond } = await market.account(region);
    units += free + locked + bonded + membershipBond;
  }
  const count = await market.read<number>("auction", "auctionCount");
  for (let auctionId = 1; auctionId <= count; auctionId++) {
    const { bondsHeld, phase } = await market.read<{ bondsHeld: bigint; phase: number }>("auction", "auction", [
      auctionId,
    ]);
    units += bondsHeld + (phase < 3 ? constants.auction.openDeposit : 0n);
  }
  const { pool, reserved } = await market.read<{ pool: bigint; reserved: bigint }>("escrow", "pool");
  const tokens = await market.read<bigint>("token", "balanceOf", [escrow]);
  expect(tokens, "tokens = accounts + bonds + deposits + pool").to.equal((units + pool) * constants.escrow.priceUnit);
  expect(reserved <= pool, "0 ≤ reserved ≤ pool").to.equal(true);
  let open = 0n;
  for (const { auctionId, leases } of grants)
    for (const lease of leases) {
      if (await market.read<boolean>("escrow", "isSettled", [auctionId, lease.index])) continue;
      open += BigInt(lease.lots) * BigInt(lease.price - lease.buyerPrice) * BigInt(lease.slots);
    }
  expect(reserved, "reserved = budgets of open leases, once everything is collected").to.equal(open);
}
