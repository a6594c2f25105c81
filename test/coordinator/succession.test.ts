import assert from "node:assert/strict";
import { type Agent, eventually, Regions } from "./helpers/agents.ts";

/** Real agents on a real chain; the first is the opener and dies for good. */
describe("the opener is gone", function () {
  this.timeout(180_000);
  let regions: Regions;

  beforeEach(async () => {
    regions = await Regions.start(3);
  });
  afterEach(() => regions?.stop());

  it("before it published: the lowest seller does in its place, both sellers come to one topology, and the link that it adds comes up", async () => {
    const [hub, low, high] = regions.agents as [Agent, Agent, Agent];
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
});
