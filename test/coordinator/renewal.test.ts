import assert from "node:assert/strict";
import { privateKeyToAccount } from "viem/accounts";
import type { dryRun } from "../../agent/api/trigger.ts";
import type { auctionView } from "../../agent/api/views.ts";
import { weekOf } from "../../agent/auction/calendar.ts";
import { leaseEscrowAbi } from "../../agent/chain/abi/lease-escrow.ts";
import { connectChain, loadDeployment } from "../../agent/chain/client.ts";
import { explainFailure } from "../../agent/chain/refusals.ts";
import { RpcPool } from "../../agent/chain/rpc-pool.ts";
import { shouldRegister } from "../../agent/coordinator/register-budget.ts";
import { type Agent, eventually, Regions } from "./helpers/agents.ts";

const DAY = 86_400;
const POLICY = { maxPrice: 9000, maxMbps: 600, budgetPerDay: 200_000_000, boost: 0.1 };

/** Real agents on a real chain, whose time leaps. */
describe("what agents do ahead of time", function () {
  this.timeout(180_000);
  let regions: Regions;
  let hub: Agent;

  before(async () => {
    regions = await Regions.start(3, { buy: { disaster: POLICY } });
    hub = regions.agents[0]!;
  });
  after(() => regions?.stop());

  const auctions = () => hub.ask<ReturnType<typeof auctionView>[]>("/v1/auctions");

  it("an event that renews opens its next auction before the term ends, and the new leases follow without a gap", async () => {
    const demand = { kind: "disaster", mbps: 100, durationSeconds: 300 };
    const dry = await hub.ask<Awaited<ReturnType<typeof dryRun>>>("/v1/triggers", { ...demand, dryRun: true });
    const first = await regions.running({ mbps: 100, renew: true });
    const [opened] = await auctions();
    assert.deepEqual(
      dry.terms,
      { lotMbps: opened?.lotMbps, slots: opened?.slots, priceCap: opened?.priceCap },
      "the dry run said what was opened",
    );
    assert.deepEqual([dry.fabric.name, (await hub.mesh())?.fabric], [opened?.fabric, dry.fabric]);

    const end = first[0]!.endSeconds;
    await regions.leap(end - 80 - (await regions.chainSeconds()));
    const renewed = await eventually("leases of the next term", async () => {
      const next = (await hub.leases()).filter(({ startSeconds }) => startSeconds >= end);
      return next.length > 0 ? next : undefined;
    });
    assert.ok((await regions.chainSeconds()) < end, "they were granted before the first term ended");
    assert.deepEqual(
      renewed.map(({ startSeconds, meshId }) => [startSeconds, meshId]),
      renewed.map(() => [end, first[0]!.meshId]),
    );
    const mbps = (leases: readonly { readonly mbps: number }[]) => leases.reduce((sum, lease) => sum + lease.mbps, 0);
    assert.equal(mbps(renewed), mbps(first));
    assert.equal((await auctions()).length, 2, "one auction for a renewal");
    await hub.ask("/v1/down", {});
  });

  it("on Sunday UTC an agent with a boost registers its region for the next week's budget", async () => {
    await hub.stopAgent();
    const now = await regions.chainSeconds();
    // Day 0 of Unix time was a Thursday.
    const daysToSunday = (10 - (Math.floor(now / DAY) % 7)) % 7 || 7;
    await regions.leap((Math.floor(now / DAY) + daysToSunday) * DAY + DAY / 2 - now);
    const week = weekOf(await regions.chainSeconds()) + 1;
    await hub.start();
    await eventually("the registration is in a block", async () =>
      hub.transaction(`register-budget:${week}`)?.status === "mined" ? true : undefined,
    );
    const deployment = loadDeployment(regions.deploymentFolder);
    const again = connectChain(new RpcPool([regions.node.rpcUrl]), deployment).simulateContract({
      address: deployment.escrow,
      abi: leaseEscrowAbi,
      functionName: "registerBudget",
      args: [hub.id],
      account: privateKeyToAccount(regions.consortium.founderKey),
    });
    const refusal = await again.then(
      () => "none",
      (error: unknown) => explainFailure("it", error).message,
    );
    assert.match(refusal, new RegExp(`AlreadyRegistered: ${hub.id}, ${week}`));
  });

  it("no other day, and no policy without a boost, registers anything", () => {
    const at = (day: string) => Date.parse(`${day}T12:00:00Z`) / 1000;
    const full = { ...POLICY, minScore: false, profile: "urgent" } as const;
    const boosting = { disaster: full, rollout: { ...full, boost: 0 } };
    assert.deepEqual(
      ["2026-11-28", "2026-11-29", "2026-11-30"].map((day) => shouldRegister(boosting, at(day))),
      [false, true, false],
    );
    assert.equal(shouldRegister({ disaster: { ...full, boost: 0 } }, at("2026-11-29")), false);
  });
});
