import assert from "node:assert/strict";
import { type Agent, eventually, type LeaseView, Regions } from "./helpers/agents.ts";

/** Real agents on a real chain that takes blocks back. */
describe("a reorganisation in the middle of an event", function () {
  this.timeout(120_000);
  let regions: Regions;
  let hub: Agent;
  let leases: LeaseView[];
  let clearedIn: number;

  before(async () => {
    regions = await Regions.start(3);
    hub = regions.agents[0]!;
    leases = await regions.running();
    clearedIn = hub.transaction(`clear:${await auctionId()}`)?.block ?? Number.NaN;
    await regions.halt();
  });
  after(() => regions?.stop());

  const auctionId = async () => (await hub.ask<{ auctionId: number }[]>("/v1/auctions"))[0]!.auctionId;
  const takeBackTheClearing = async () =>
    void (await regions.node.request("anvil_reorg", [(await regions.blockNumber()) - clearedIn + 1, []]));
  const linkOf = async (agent: Agent) =>
    (await agent.mesh())?.links.map(({ linkId, transcript, attempt }) => ({ linkId, transcript, attempt }));
  const changed = (since: number) => regions.ether.asked.slice(since).filter(({ type }) => type !== "applyMesh");
  const withdrawn = () =>
    eventually("the leases are gone", async () => {
      const known = await Promise.all(regions.agents.map((agent) => agent.leases()));
      return known.every((each) => each.length === 0) || undefined;
    });
  const back = () =>
    eventually("the same leases are there again", async () => {
      const now = await hub.leases();
      assert.deepEqual(
        now.map(({ leaseId, seller }) => [leaseId, seller]),
        leases.map(({ leaseId, seller }) => [leaseId, seller]),
      );
      return true;
    });

  it("a lease that comes back in another block is the same: no link is touched, no key is made, what was signed is kept", async () => {
    const [links, since] = [await linkOf(hub), regions.ether.asked.length];
    await takeBackTheClearing();
    await withdrawn();
    regions.mine();
    await back();
    await eventually("running again", async () => (await hub.mesh())?.phase === "running" || undefined);
    assert.deepEqual(await linkOf(hub), links);
    assert.deepEqual(changed(since), []);
    assert.ok(regions.ether.asked.slice(since).every((each) => each.links.length > 0));
    clearedIn = hub.transaction(`clear:${await auctionId()}`)?.block ?? Number.NaN;
  });

  it("a lease that stays away is withdrawn: no receipt for it, its interfaces go, the journal keeps what was signed", async () => {
    await eventually("receipts", async () => (await hub.leases()).every(({ receipt }) => receipt) || undefined);
    await regions.halt();
    const signed = hub.journaled("ReceiptCosigned").length;
    await takeBackTheClearing();
    await withdrawn();
    await eventually(
      "nothing is left at any meshd",
      async () => regions.agents.every(({ id }) => regions.ether.specOf(id) === undefined) || undefined,
    );
    assert.equal(hub.journaled("ReceiptCosigned").length, signed);
    assert.equal(hub.journaled("OrderPrepared").length, 1);
  });

  it("when the auction clears anew, its leases are served anew, with keys of their own, and run to their settlement", async () => {
    regions.mine();
    await back();
    await eventually("running on links of another attempt", async () => {
      const mesh = await hub.mesh();
      const up = mesh?.links.filter((link) => link.state === "up" && link.attempt > 0) ?? [];
      return (
        (mesh?.phase === "running" &&
          leases.every(({ leaseId }) => up.some((l) => (l.linkId as string) === leaseId))) ||
        undefined
      );
    });
    await hub.ask("/v1/down", {});
    await eventually("settled", async () => (await hub.leases()).every(({ settled }) => settled) || undefined);
    assert.equal(hub.journaled("OrderPrepared").length, 1, "no second order, no second salt");
  });
});
