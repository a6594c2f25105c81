import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect } from "chai";
import { createPublicClient, http } from "viem";
import { capacityAuctionAbi } from "../../agent/chain/abi/capacity-auction.ts";
import { leaseEscrowAbi } from "../../agent/chain/abi/lease-escrow.ts";
import { reputationAbi } from "../../agent/chain/abi/reputation.ts";
import { type LeaseRecorded, rebuildReputation } from "../../agent/reputation/rebuild.ts";
import { scoreAt } from "../../agent/reputation/rule.ts";
import { ChainNode } from "../../lab/chain/chain-node.ts";
import { type Consortium, foundConsortium } from "../../lab/chain/consortium.ts";
import { type HistorySummary, makeHistory } from "../../lab/chain/history.ts";
import { readTopology } from "../../lab/layout/topology.ts";

const DAY = 86_400;

describe("lab/history: two weeks of real leases before the present", function () {
  this.timeout(60_000);
  const folder = mkdtempSync(`${tmpdir()}/ephemesh-history-`);
  let node: ChainNode;
  let consortium: Consortium;
  let summary: HistorySummary;

  before(async () => {
    const topology = await readTopology(new URL("../../lab/topologies/six-clouds.json", import.meta.url));
    node = await ChainNode.start({ genesisTimestamp: Math.floor(Date.now() / 1000) - 14 * DAY });
    consortium = await foundConsortium(topology, node.rpcUrl, folder);
    summary = await makeHistory({
      rpcUrl: node.rpcUrl,
      deployment: consortium.deployment,
      regions: consortium.regions,
      auctions: 12,
    });
  });
  after(async () => {
    await node.stop();
    rmSync(folder, { recursive: true });
  });

  const client = () => createPublicClient({ transport: http(node.rpcUrl), cacheTime: 0 });

  it("ends with the chain's clock at the present", async () => {
    const { timestamp } = await client().getBlock();
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).to.be.lessThan(10);
  });

  it("every auction was cleared and every lease settled", async () => {
    const { auction, escrow, fromBlock } = consortium.deployment;
    const range = { fromBlock: BigInt(fromBlock), strict: true } as const;
    const cleared = await client().getContractEvents({
      ...range,
      address: auction,
      abi: capacityAuctionAbi,
      eventName: "AuctionCleared",
    });
    const settled = await client().getContractEvents({
      ...range,
      address: escrow,
      abi: leaseEscrowAbi,
      eventName: "LeaseSettled",
    });
    expect(cleared.length).to.equal(12);
    expect(settled.length).to.equal(summary.leases);
    expect(summary.leases).to.be.greaterThan(12);
  });

  it("scores differ enough to rank sellers", () => {
    const scores = [...summary.scores.values()];
    expect(Math.max(...scores) - Math.min(...scores)).to.be.greaterThan(100_000);
  });

  it("the scores follow from the events alone", async () => {
    const { reputation, fromBlock, constants } = consortium.deployment;
    const events = await client().getContractEvents({
      address: reputation,
      abi: reputationAbi,
      eventName: "LeaseRecorded",
      fromBlock: BigInt(fromBlock),
      strict: true,
    });
    const rebuilt = rebuildReputation(
      events.map(({ args }): LeaseRecorded => args),
      constants.escrow.fullBond,
    );
    expect(rebuilt.mismatches).to.deep.equal([]);
    const today = Math.floor(Number((await client().getBlock()).timestamp) / DAY);
    for (const [region, score] of summary.scores) {
      const record = rebuilt.sellers.get(region);
      expect(record ? scoreAt(record.current, today) : 0).to.equal(score);
    }
  });
});
