import assert from "node:assert/strict";
import { type Agent, eventually, type LeaseView, Regions } from "./helpers/agents.ts";

/** Real agents; the chain's node is stopped as a whole, or makes no block, while leases run. */
describe("the chain stands still in the middle of an event", function () {
  this.timeout(180_000);
  let regions: Regions;
  let hub: Agent;
  let sellers: readonly Agent[];

  before(async () => {
    regions = await Regions.start(3);
    [hub, ...sellers] = regions.agents as [Agent, ...Agent[]];
  });
  after(() => regions?.stop());

  /** So that little of the term is left when the chain stops. */
  async function nearTheEnd(leases: readonly LeaseView[]): Promise<void> {
    await regions.leap(leases[0]!.endSeconds - 12 - (await regions.chainSeconds()));
    await regions.halt();
    const last = await regions.blockNumber();
    for (const agent of regions.agents)
      await eventually(`${agent.name} knows how late it is`, async () => {
        const { chain } = await agent.ask<{ chain: { block: number } }>("/v1/status");
        return chain.block >= last || undefined;
      });
  }

  const of = async (agent: Agent, leases: readonly LeaseView[]) =>
    (await agent.leases()).filter(
      ({ leaseId, buyer, seller }) =>
        leases.some((lease) => lease.leaseId === leaseId) && [buyer, seller].includes(agent.name),
    );

  async function endsWithoutChain(leases: readonly LeaseView[]): Promise<void> {
    for (const agent of [hub, ...sellers])
      await eventually(`${agent.name} has dissolved`, async () => (await agent.mesh())?.dissolved ?? undefined);
    for (const agent of [hub, ...sellers]) {
      assert.equal(regions.ether.specOf(agent.id), undefined, "no interface is left");
      for (const { receipt, settled } of await of(agent, leases)) {
        assert.equal(receipt?.epochs, 30, `${agent.name} holds the receipt for the whole term`);
        assert.equal(settled, null);
      }
    }
    await eventually("the teardown is signed by both", async () => {
      const links = (await hub.mesh())?.dissolved?.links.filter((l) => leases.some((x) => `${x.leaseId}` === l.linkId));
      return links?.every(({ peerSignature }) => peerSignature !== null) || undefined;
    });
  }

  async function settles(leases: readonly LeaseView[]): Promise<void> {
    for (const agent of [hub, ...sellers])
      await eventually(`settled, as ${agent.name} sees it`, async () => {
        const own = await of(agent, leases);
        return (own.length > 0 && own.every(({ settled }) => settled)) || undefined;
      });
    for (const { settled } of await of(hub, leases)) assert.ok(BigInt(settled!.sellerGets) > 0n);
  }

  it("its node hangs: leases run to their term by the monotonic clock, receipts and dissolution need no chain, and both sides are settled when it is back, also by an agent that started meanwhile", async () => {
    const leases = await regions.running();
    await nearTheEnd(leases);
    regions.node.pause();
    await hub.stopAgent();
    await hub.start("healthz");
    await endsWithoutChain(leases);
    regions.node.resume();
    regions.mine();
    await settles(leases);
  });

  it("its node answers but makes no block: the same", async () => {
    const leases = await regions.running();
    await nearTheEnd(leases);
    await endsWithoutChain(leases);
    regions.mine();
    await settles(leases);
  });
});
