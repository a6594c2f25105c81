import assert from "node:assert/strict";
import type { leaseView } from "../../agent/api/views.ts";
import { parsePrefix } from "../../agent/model/prefix.ts";
import type { ChainNode } from "../../lab/chain/chain-node.ts";
import type { Consortium } from "../../lab/chain/consortium.ts";
import type { Lab } from "../../lab/lab.ts";
import { hostAddress } from "../../lab/layout/addressing.ts";
import { hostOf } from "../../lab/layout/place.ts";
import { endProcesses, processesInside } from "../../lab/process/processes.ts";
import type { LabSite } from "../../lab/site.ts";
import type { Snapshot } from "../../lab/snapshot.ts";
import { changeRegister } from "../helpers/change-register.ts";
import { asked, commandLine, differencesSince, eventually, meshes, startRegions } from "./helpers/regions.ts";

type Lease = ReturnType<typeof leaseView>[number];

const ADDED = "10.77.0.0/16";

/** The hub wants what two of its three sellers have. */
describe("in the middle of an event", function () {
  this.timeout(600_000);
  let lab: Lab;
  let sites: LabSite[];
  let untouched: ReadonlyMap<string, Snapshot>;
  let node: ChainNode;
  let consortium: Consortium;
  let bought: Lease[];
  let dead: LabSite;

  before(async () => {
    ({ lab, node, sites, consortium, before: untouched } = await startRegions(4));
    await hub().ask("/v1/triggers", { kind: "disaster", mbps: 160, durationSeconds: 900 });
    bought = await eventually("leases", async () => {
      const found = await leases();
      return found.length > 0 ? found : undefined;
    });
    for (const { leaseId } of bought) await linkUp(leaseId);
    await eventually("both run", async () => ((await meshes(hub()))[0]?.phase === "running" ? true : undefined));
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

  it("INV-9: a prefix that a seller gets is reached over the mesh, one that it loses is let in no more", async () => {
    const [seller] = bought.map(({ seller: name }) => name);
    const id = sites.findIndex(({ name }) => name === seller) + 1;
    const [own, behind] = [hostOf(hub().name), hostOf(seller!)];
    const ping = (count: number, to: string) =>
      lab.exec(own, ["ping", "-q", "-n", "-c", `${count}`, "-i", "0.02", "-W", "1", to]);
    const change = (call: "addPrefix" | "removePrefix") =>
      changeRegister(node.rpcUrl, consortium, consortium.founderKey, call, [id, parsePrefix(ADDED)]);
    const arriving = async (at: string) =>
      (
        await lab.exec(at, ["nft", "list", "map", "inet", "ephemesh", at === seller ? "outbound4" : "inbound4"])
      ).includes(ADDED);
    await lab.exec(behind, ["ip", "address", "add", "10.77.0.10/32", "dev", "lo"]);
    await lab.exec(seller!, ["ip", "route", "add", ADDED, "via", hostAddress(id).ipv4]);
    await eventually("the pair is on the mesh", () => ping(3, hostAddress(id).ipv4));
    await change("addPrefix");
    await eventually("reached", async () => ((await arriving(hub().name)) ? ping(2, "10.77.0.10") : undefined));
    await change("removePrefix");
    await eventually("let in no more, sent no more", async () =>
      (await arriving(hub().name)) || (await arriving(seller!)) ? undefined : true,
    );
    await assert.rejects(ping(2, "10.77.0.10"));
    await lab.exec(seller!, ["ip", "route", "del", ADDED]);
    await lab.exec(behind, ["ip", "address", "del", "10.77.0.10/32", "dev", "lo"]);
  });

  it("when no registered way leads to the sellers any more, receipts are signed inside the ENIs", async () => {
    const router = hub().name;
    await lab.exec(router, ["nft", "add", "table", "inet", "cut"]);
    await lab.exec(router, ["nft", "add chain inet cut out { type filter hook output priority 0; }"]);
    await lab.exec(router, ["nft", 'add rule inet cut out oifname "ix*" tcp dport 7357 drop']);
    const before = await leases();
    for (const { leaseId, receipt } of before)
      await eventually("another epoch is signed", async () => {
        const now = (await leases()).find((lease) => lease.leaseId === leaseId)?.receipt;
        return (now?.epochs ?? 0) > (receipt?.epochs ?? 0) || undefined;
      });
    const listening = await lab.exec(bought[0]!.seller, ["ss", "-Hltn", "sport = :7357"]);
    const own = listening.split("\n").map((line) => line.trim().split(/\s+/)[3] ?? "");
    assert.deepEqual(
      own.filter((address) => !/^\[?fe80:.*%eph[0-9a-f]{12}\]?:7357$/.test(address)),
      ["0.0.0.0:7357"],
    );
    await lab.exec(router, ["nft", "delete", "table", "inet", "cut"]);
  });

  it("a seller that dies is given up and replaced by a further auction of the same mesh", async () => {
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

  it("a seller that was dead comes back, every lease is released by both and settled, and nothing is left anywhere", async () => {
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
