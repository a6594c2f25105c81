import assert from "node:assert/strict";
import { type Agent, eventually, Regions } from "./helpers/agents.ts";

const DAY = 86_400;

/** Real agents on a real chain; the first is the opener. */
describe("the opener is gone", function () {
  this.timeout(240_000);
  let regions: Regions;
  let hub: Agent;
  let low: Agent;
  let high: Agent;

  before(async () => {
    regions = await Regions.start(3);
    [hub, low, high] = regions.agents as [Agent, Agent, Agent];
  });
  after(() => regions?.stop());

  it("before it published: the lowest seller does in its place, all come to one topology, and the link that it adds comes up", async () => {
    await hub.ask("/v1/triggers", { kind: "disaster", mbps: 160, durationSeconds: 300 });
    await eventually("every order is revealed", async () => {
      const [auction] = await low.ask<{ orders: { price: number | null }[] }[]>("/v1/auctions");
      return (auction?.orders.length === 3 && auction.orders.every(({ price }) => price !== null)) || undefined;
    });
    await hub.stop();
    await eventually("both have it, and the link is up", async () => {
      const [one, other] = [await low.mesh(), await high.mesh()];
      assert.equal(one?.topology?.publisher, low.name);
      assert.deepEqual(one?.topology, other?.topology);
      return one?.links.some((link) => link.peerRegion === high.id && link.state === "up") || undefined;
    });
  });

  it("back again, it takes over the published topology and publishes none of its own", async () => {
    const published = (await low.mesh())?.topology;
    await hub.start();
    await eventually("the opener has it too, and its links", async () => {
      const mesh = await hub.mesh();
      assert.deepEqual(mesh?.topology, published);
      return mesh?.links.filter((link) => link.state === "up").length === 2 || undefined;
    });
    assert.equal(low.journaled("TopologyPublished").length, 1);
  });

  it("for good: the leases end by their term, each seller dissolves, claims what it delivered, and is paid after the window", async () => {
    const own = async (seller: Agent) => (await seller.leases()).filter((each) => each.seller === seller.name);
    for (const seller of [low, high])
      await eventually("a receipt", async () => (await own(seller)).every(({ receipt }) => receipt) || undefined);
    await hub.stop();
    const [lease] = await low.leases();
    await regions.leap(lease!.endSeconds - (await regions.chainSeconds()));
    for (const seller of [low, high])
      await eventually(`${seller.name} has dissolved`, async () => (await seller.mesh())?.dissolved ?? undefined);
    assert.deepEqual([regions.ether.specOf(low.id), regions.ether.specOf(high.id)], [undefined, undefined]);
    for (const seller of [low, high])
      await eventually(`${seller.name} has claimed`, async () => {
        const claims = (await own(seller)).map(({ leaseId }) => seller.transaction(`claim:${leaseId}`));
        return claims.every((claim) => claim?.status === "mined") || undefined;
      });
    await regions.leap(DAY + 60);
    // An agent that saw the window open looks again after a minute.
    await eventually(
      "settled",
      async () => {
        const leases = await low.leases();
        return (
          (leases.length === 2 && leases.every(({ settled }) => BigInt(settled?.sellerGets ?? 0) > 0n)) || undefined
        );
      },
      120_000,
    );
  });
});
