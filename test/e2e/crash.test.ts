import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { auctionView, leaseView, meshView } from "../../agent/api/views.ts";
import { ChainNode } from "../../lab/chain-node.ts";
import { foundConsortium } from "../../lab/consortium.ts";
import { Lab } from "../../lab/lab.ts";
import { endProcesses, processesInside } from "../../lab/processes.ts";
import { LabSite } from "../../lab/site.ts";
import { describeDifferences, type Snapshot, takeSnapshot } from "../../lab/snapshot.ts";
import { uniformTopology } from "../../lab/topology.ts";

type Auctions = ReturnType<typeof auctionView>[];
type Leases = ReturnType<typeof leaseView>;
type Meshes = ReturnType<typeof meshView>[];

const PATIENCE_MILLIS = 90_000;

/** Three regions: the hub buys, the others sell. What is killed is started again by `ephemesh up`. */
describe("kill -9 in every phase of a mesh's life", function () {
  this.timeout(240_000);
  let lab: Lab;
  let sites: LabSite[];
  let before: ReadonlyMap<string, Snapshot>;

  beforeEach(async () => {
    lab = await Lab.up({ topology: uniformTopology({ regions: 3, rttMillis: 10 }) });
    const node = await ChainNode.start({ lab });
    const deploymentDirectory = `${lab.dir.path}/deployment`;
    const { regions } = await foundConsortium(lab.topology, node.rpcUrl, deploymentDirectory);
    await node.setBlockTime(1);
    // The lab's own cables come up in their own time.
    await eventually("every device has its carrier and address", async () =>
      /NO-CARRIER|tentative/.test(JSON.stringify([...(await snapshots()).values()])) ? undefined : true,
    );
    before = await snapshots();
    sites = await Promise.all(
      regions.map((region) => LabSite.prepare({ lab, region, rpcUrl: node.regionRpcUrl, deploymentDirectory })),
    );
    await Promise.all(sites.map((site) => site.start()));
  });

  afterEach(async () => {
    await lab.down();
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
    await eventually("dissolving", async () => ((await meshes(victim))[0]?.phase === "over" ? true : "going"));
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
    await eventually("nothing is left", async () => ((await differing()).length === 0 ? true : undefined));
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
    await eventually(`${role} of ${victim.name} is back`, async () => {
      const found = await running();
      return found.length === 1 && found[0]!.pid !== victims[0]!.pid ? asked(victim, "/v1/status") : undefined;
    });
  }

  async function differing(): Promise<string[]> {
    const after = await snapshots();
    return [...before]
      .map(([name, snapshot]) => describeDifferences(snapshot, after.get(name)!))
      .filter((text) => text !== "");
  }

  async function assertUntouched(): Promise<void> {
    assert.deepEqual(await differing(), []);
  }

  async function snapshots(): Promise<ReadonlyMap<string, Snapshot>> {
    return new Map(
      await Promise.all(
        lab.topology.regions.map(
          async ({ name }) => [name, await takeSnapshot((command) => lab.exec(name, command))] as const,
        ),
      ),
    );
  }
});

function meshes(site: LabSite): Promise<Meshes> {
  return asked<Meshes>(site, "/v1/meshes");
}

function asked<T>(site: LabSite, path: string, body?: unknown): Promise<T> {
  return site.ask<T>(path, body);
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** No event reaches across a process that was killed: looks until it is so, and counts an agent that does not answer as "not yet". */
async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  let last: unknown;
  for (const deadline = performance.now() + PATIENCE_MILLIS; performance.now() < deadline; await delay(50)) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`it never came to this: ${what}`, { cause: last });
}
