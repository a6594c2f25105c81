import assert from "node:assert/strict";
import type { leaseView } from "../../agent/api/views.ts";
import type { Lab } from "../../lab/lab.ts";
import { endProcesses, processesInside } from "../../lab/processes.ts";
import type { LabSite } from "../../lab/site.ts";
import type { Snapshot } from "../../lab/snapshot.ts";
import { asked, commandLine, differencesSince, eventually, meshes, startRegions } from "./helpers/regions.ts";

type Lease = ReturnType<typeof leaseView>[number];

/** The hub wants what two of its three sellers have. One of them dies for good while it is served. */
describe("a seller that dies in the middle of an event", function () {
  this.timeout(300_000);
  let lab: Lab;
  let sites: LabSite[];
  let untouched: ReadonlyMap<string, Snapshot>;
  let dead: LabSite;

  before(async () => {
    ({ lab, sites, before: untouched } = await startRegions(4));
  });
  after(async () => {
    await lab?.down();
  });

  const hub = () => sites[0]!;
  const leases = () => asked<Lease[]>(hub(), "/v1/leases");
  const linkUp = (leaseId: string) =>
    eventually(
      `the link of lease ${leaseId} is up`,
      async () =>
        (await meshes(hub())).some((m) => m.links.some((l) => l.linkId === leaseId && l.state === "up")) || undefined,
    );

  it("is given up and replaced by a further auction of the same mesh", async () => {
    await hub().ask("/v1/triggers", { kind: "disaster", mbps: 160, durationSeconds: 900 });
    const bought = await eventually("leases", async () => {
      const found = await leases();
      return found.length > 0 ? found : undefined;
    });
    for (const { leaseId } of bought) await linkUp(leaseId);
    await eventually("both run", async () => ((await meshes(hub()))[0]?.phase === "running" ? true : undefined));
    const victim = bought[0]!;
    dead = sites.find(({ name }) => name === victim.seller)!;
    const ours = (await processesInside([lab.namespace(dead.name)])).filter(({ pid }) =>
      /main\.ts\0(up|agent|meshd)\0|wireguard-go/.test(commandLine(pid)),
    );
    await endProcesses(ours, 0);

    const replacement = await eventually(
      "another lease",
      async () => (await leases()).find((lease) => !bought.some(({ leaseId }) => leaseId === lease.leaseId)),
      150_000,
    );
    assert.notEqual(replacement.seller, victim.seller);
    assert.equal(replacement.meshId, victim.meshId);
    await linkUp(replacement.leaseId);
  });

  it("comes back, every lease is released by both and settled, and nothing is left anywhere", async () => {
    await dead.start();
    await hub().ask("/v1/down", {});
    await eventually("every lease is settled", async () => {
      const found = await leases();
      return (found.length >= 3 && found.every((lease) => lease.settled)) || undefined;
    });
    for (const site of sites)
      await eventually(
        `${site.name} over`,
        async () => (await meshes(site)).every((mesh) => mesh.phase === "over") || undefined,
      );
    await eventually("nothing is left", async () =>
      (await differencesSince(lab, untouched)).length === 0 ? true : undefined,
    );
  });
});
