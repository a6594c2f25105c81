import assert from "node:assert/strict";
import type { LinkId } from "../../agent/model/ids.ts";
import { parsePrefix } from "../../agent/model/prefix.ts";
import { type Agent, eventually, type LeaseView, Regions } from "./helpers/agents.ts";

const ADDED = "10.77.0.0/16";

/** Real agents on a real chain: two of three sellers serve the first region. */
describe("what changes in the middle of an event", function () {
  this.timeout(180_000);
  let regions: Regions;
  let [hub, first, second, spare]: readonly Agent[] = [];
  let leases: LeaseView[];

  before(async () => {
    regions = await Regions.start(4);
    [hub, first, second, spare] = regions.agents;
    leases = await regions.running({ durationSeconds: 900 });
    assert.deepEqual(leases.map(({ seller }) => seller).sort(), [first!.name, second!.name]);
  });
  after(() => regions?.stop());

  const pairsAt = (agent: Agent | undefined) =>
    (regions.ether.specOf(agent!.id)?.pairs ?? []).map(({ source, destination }) => `${source} ${destination}`);
  const linksAt = (agent: Agent | undefined) => JSON.stringify(regions.ether.specOf(agent!.id)?.links);

  it("INV-9: a prefix that a seller gets is steered at every participant, one that it loses no longer; no link and no other pair changes", async () => {
    const everybody = [hub, first, second];
    const before = everybody.map((agent) => ({ pairs: pairsAt(agent), links: linksAt(agent) }));
    const has = (agent: Agent | undefined) => pairsAt(agent).some((pair) => pair.includes(ADDED));
    await regions.asConsortium("addPrefix", [first!.id, parsePrefix(ADDED)]);
    for (const agent of everybody) await eventually("steered", async () => has(agent) || undefined);
    for (const [i, agent] of everybody.entries()) {
      assert.deepEqual(
        before[i]?.pairs.filter((pair) => !pairsAt(agent).includes(pair)),
        [],
      );
      assert.equal(linksAt(agent), before[i]?.links);
    }
    await regions.asConsortium("removePrefix", [first!.id, parsePrefix(ADDED)]);
    for (const agent of everybody) await eventually("no longer steered", async () => !has(agent) || undefined);
    for (const [i, agent] of everybody.entries())
      assert.deepEqual({ pairs: pairsAt(agent), links: linksAt(agent) }, before[i]);
  });

  it("a seller drains, another is lost: the top-up is sold by a region that was not in the mesh; the drained one sells nothing new and serves to the end", async () => {
    await second!.ask("/v1/drain", {});
    await second!.stop();
    await second!.start();
    assert.equal((await second!.ask<{ draining: boolean }>("/v1/status")).draining, true);
    await first!.stop();
    await eventually("lost", async () => hub!.journaled("PeerLost").length > 0 || undefined);
    await regions.leap(60);
    const added = await eventually("another lease", async () =>
      (await hub!.leases()).find(({ leaseId }) => !leases.some((lease) => lease.leaseId === leaseId)),
    );
    assert.deepEqual([added.seller, added.meshId], [spare!.name, leases[0]!.meshId]);
    await eventually("its link, and the one that the topology adds between the two that are left", async () => {
      const up = ((await spare!.mesh())?.links ?? []).filter((link) => link.state === "up");
      return ([hub, second] as Agent[]).every(({ id }) => up.some(({ peerRegion }) => peerRegion === id)) || undefined;
    });
    const auctions = await second!.ask<{ auctionId: number; orders: { region: string }[] }[]>("/v1/auctions");
    assert.equal(auctions.length, 2);
    assert.ok(!auctions[1]?.orders.some(({ region }) => region === second!.name));
    const kept = leases.find(({ seller }) => seller === second!.name)!;
    const link = kept.leaseId as string as LinkId;
    assert.ok(regions.ether.specOf(second!.id)?.links.some(({ linkId }) => linkId === link));
  });

  it("and leaves when its lease is over: released, dissolved, settled; the others' links go on meanwhile", async () => {
    await hub!.ask("/v1/down", {});
    await eventually("over at the drained seller", async () => (await second!.mesh())?.phase === "over" || undefined);
    await second!.ask("/v1/drain", { draining: false });
    await second!.stop();
    await second!.start();
    assert.equal((await second!.ask<{ draining: boolean }>("/v1/status")).draining, false);
    await second!.stop();
    await eventually("settled but for the lost seller's", async () => {
      const open = (await hub!.leases()).filter(({ settled }) => !settled);
      return open.every(({ seller }) => seller === first!.name) || undefined;
    });
  });
});
