import assert from "node:assert/strict";
import { getPriority } from "node:os";
import type { auctionView, leaseView } from "../../agent/api/views.ts";
import { MESHD_NICE } from "../../agent/up.ts";
import type { Lab } from "../../lab/lab.ts";
import { endProcesses, processesInside } from "../../lab/process/processes.ts";
import type { LabSite } from "../../lab/site.ts";
import type { Snapshot } from "../../lab/snapshot.ts";
import { asked, commandLine, differencesSince, eventually, meshes, startRegions } from "./helpers/regions.ts";

type Auctions = ReturnType<typeof auctionView>[];
type Leases = ReturnType<typeof leaseView>;

/** Three regions: the hub buys, the others sell. What is killed is started again by `ephemesh up`. */
describe("kill -9 in every phase of a mesh's life", function () {
  this.timeout(600_000);
  let lab: Lab;
  let sites: LabSite[];
  let before: ReadonlyMap<string, Snapshot>;

  beforeEach(async () => {
    ({ lab, sites, before } = await startRegions(3));
  });

  afterEach(async () => {
    await lab?.down();
  });

  it("INV-12: the buyer's agent is killed in each phase; every purpose is served once and the life goes on to its end", async () => {
    await lifeWithKills(site(0), "agent");
  });

  it("INV-12: a seller's agent is killed in each phase", async () => {
    await lifeWithKills(site(1), "agent");
  });

  it("INV-10: meshd of the buyer is killed while links form, run and go", async () => {
    await lifeWithKills(site(0), "meshd");
  });

  it("INV-10: after kill -9 of everything in a running mesh, cleanup leaves nothing of ours", async () => {
    await trigger();
    await eventually("traffic is routed", async () => {
      const mesh = (await meshes(site(0)))[0];
      return (
        (mesh?.phase === "running" &&
          mesh.links.length === 2 &&
          mesh.links.every((l) => l.state === "up") &&
          mesh.routes.every((r) => r.path.length > 0)) ||
        undefined
      );
    });
    for (const { name } of sites) await endProcesses(await processesInside([lab.namespace(name)]), 0);
    assert.notDeepEqual(await differing(), [], "there was something to clean up");
    for (const each of sites) await each.run(["cleanup"]);
    await assertUntouched();
  });

  /** One event from trigger to settlement, with a kill of `victim`'s process whenever the next phase is reached. */
  async function lifeWithKills(victim: LabSite, role: "agent" | "meshd"): Promise<void> {
    const witness = site(2);
    await trigger();
    const auction = () => asked<Auctions>(witness, "/v1/auctions").then((found) => found[0]);
    const own = async () => (await auction())?.orders.find((order) => order.region === victim.name);
    const phases: readonly (readonly [name: string, reached: () => Promise<unknown>])[] = [
      ["opened", async () => auction()],
      ["committed", async () => own()],
      ["revealed", async () => ((await own())?.price === null ? undefined : own())],
      ["cleared", async () => ((await auction())?.outcome === "cleared" ? true : undefined)],
      ["links agreed", async () => ((await meshes(victim))[0]?.links.length ? true : undefined)],
      ["running", async () => ((await meshes(victim))[0]?.phase === "running" ? true : undefined)],
    ];
    for (const [name, reached] of phases) {
      await eventually(name, reached);
      await kill(victim, role);
    }
    await eventually("links up again", async () => {
      const links = (await meshes(victim))[0]?.links ?? [];
      return (links.length > 0 && links.every((link) => link.state === "up")) || undefined;
    });
    await eventually("ended", () => asked<{ ending: string[] }>(site(0), "/v1/down", {}));
    await kill(victim, role);
    await eventually("dissolving", async () => {
      const phase = (await meshes(victim))[0]?.phase;
      return phase === "dissolving" || phase === "settling" || undefined;
    });
    await kill(victim, role);
    for (const each of sites)
      await eventually(`${each.name} over`, async () => ((await meshes(each))[0]?.phase === "over" ? true : undefined));

    const [found, ...others] = await asked<Auctions>(witness, "/v1/auctions");
    assert.equal(others.length, 0, "one opening for one event");
    assert.deepEqual(
      [...new Set(found?.orders.map((order) => order.region))].length,
      found?.orders.length,
      "one order a region",
    );
    assert.ok(
      found?.orders.every((order) => order.price !== null),
      "every order was revealed",
    );
    await eventually("every lease is settled", async () => {
      const leases = await asked<Leases>(witness, "/v1/leases");
      return (leases.length === 2 && leases.every((lease) => lease.settled)) || undefined;
    });
    await eventually("nothing is left", async () => {
      assert.deepEqual(await differing(), []);
      return true;
    });
    await assertUntouched();
  }

  function site(index: number): LabSite {
    return sites[index]!;
  }

  async function trigger(): Promise<void> {
    await site(0).ask("/v1/triggers", { kind: "rollout", mbps: 160, durationSeconds: 300 });
  }

  /** The supervisor starts it again by itself. */
  async function kill(victim: LabSite, role: "agent" | "meshd"): Promise<void> {
    const running = async () =>
      (await processesInside([lab.namespace(victim.name)])).filter(({ pid }) =>
        commandLine(pid).includes(`main.ts\0${role}\0`),
      );
    const victims = await eventually(`${role} of ${victim.name} runs`, async () => {
      const found = await running();
      return found.length === 1 ? found : undefined;
    });
    await endProcesses(victims, 0);
    const pid = await eventually(`${role} of ${victim.name} is back`, async () => {
      const [found, ...others] = await running();
      if (!found || others.length > 0 || found.pid === victims[0]!.pid) return undefined;
      await asked(victim, "/v1/status");
      return found.pid;
    });
    if (role === "meshd")
      await eventually(
        "it goes before other work, once it runs",
        async () => getPriority(pid) === MESHD_NICE || undefined,
      );
  }

  const differing = (): Promise<string[]> => differencesSince(lab, before);

  async function assertUntouched(): Promise<void> {
    assert.deepEqual(await differing(), []);
  }
});
