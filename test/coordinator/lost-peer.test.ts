import assert from "node:assert/strict";
import type { AuctionTerms, GrantedLease } from "../../agent/auction/facts.ts";
import { leaseIdOf } from "../../agent/auction/leases.ts";
import { meshSpec } from "../../agent/coordinator/links.ts";
import { emptyMesh, type Mesh, type TriggeredEvent } from "../../agent/coordinator/mesh.ts";
import type { LocalMessage } from "../../agent/coordinator/messages.ts";
import { type LinkState, type MeshFacts, nextActions } from "../../agent/coordinator/next-actions.ts";
import { emptyWorld, fold } from "../../agent/coordinator/reduce.ts";
import { shortfallOf } from "../../agent/coordinator/shortfall.ts";
import { auctionId, type LeaseId, type LinkId, meshId, type RegionId, regionId } from "../../agent/model/ids.ts";
import { type Agent, eventually, Regions } from "./helpers/agents.ts";

const START = 10_000;
const LEAD = 20;
const MESH = meshId.parse(1);
const [buyer, seller] = [regionId.parse(1), regionId.parse(2)] as [RegionId, RegionId];
const lease = leaseIdOf(auctionId.parse(1), 0) as LeaseId;
const link = lease as string as LinkId;

/** A mesh of one lease whose link both ends agreed on, after these messages. */
function meshAfter(...messages: LocalMessage[]): Mesh {
  const granted: GrantedLease = {
    ...{ id: lease, index: 0, seller, buyer, lots: 1, mbps: 100, startSeconds: START, endSeconds: START + 3600 },
  };
  const event: TriggeredEvent = {
    id: "e",
    kind: "disaster",
    demandMbps: 100,
    durationSeconds: 3600,
    topology: "star",
    renews: false,
    reason: "test",
    requestId: null,
    atSeconds: START - 30,
  };
  const terms = { id: auctionId.parse(1), mesh: MESH, opener: buyer, openedAtSeconds: START - 30 } as AuctionTerms;
  const outcome = { cancelled: false, lotsTraded: 1, price: 1, atSeconds: START - 10 } as const;
  const auctions = [{ terms, orders: [], order: null, outcome, leases: [granted], grant: null }];
  const mesh: Mesh = { ...emptyMesh("e"), id: MESH, event, peers: [], auctions };
  const world = { ...emptyWorld, meshes: new Map([["e", mesh]]), keys: new Map([[MESH, "e"]]) };
  return fold(world, [agreed(0), ...messages]).meshes.get("e")!;
}

const agreed = (attempt: number): LocalMessage => ({
  type: "LinkAgreed",
  meshId: MESH,
  link: {
    ...{ linkId: link, attempt, peer: seller, underlay: "ix", peerEndpoint: { address: "192.0.2.2", port: 51820 } },
    ...{ mtu: 1420, transcript: `0x${"00".repeat(32)}` },
  },
});
const withdrawn: LocalMessage = { type: "LinkWithdrawn", meshId: MESH, linkId: link };
const lost: LocalMessage = { type: "PeerLost", meshId: MESH, leaseId: lease, reason: "test" };
const returned: LocalMessage = { type: "PeerReturned", meshId: MESH, leaseId: lease };

function actionsOf(mesh: Mesh, self: RegionId, state: LinkState | null): string[] {
  const facts: MeshFacts = {
    ...{ self, blockNumber: 1, headNumber: 1, nowSeconds: START + 100, chainReachable: true, clearBlocks: 20 },
    ...{ leadSeconds: LEAD, draining: false, sells: true, links: new Map(state ? [[link, state]] : []) },
  };
  return nextActions(mesh, facts).flatMap((action) =>
    action.kind === "offer-link"
      ? `offer ${action.attempt}`
      : /lost|returned|withdraw/.test(action.kind)
        ? action.kind
        : [],
  );
}

const isWanted = (mesh: Mesh, self: RegionId) => {
  const regions = new Map();
  const routing = { probeMillis: 100, fallback: "peering" } as const;
  return meshSpec({ ...mesh, id: MESH }, self, regions, routing, START + 100, (s) => s * 1000).links.length === 1;
};
const isMissing = (mesh: Mesh) => shortfallOf(mesh, buyer, START + 100, LEAD) !== null;
const state = (is: LinkState["state"], seconds: number, attempt = 0): LinkState => ({
  ...{ attempt, state: is, forMillis: seconds * 1000 },
});

describe("a link whose other end is away", () => {
  it("is withdrawn at either end 30 s after the peer counts as lost, and a withdrawn link is not wanted at meshd", () => {
    const mesh = meshAfter(lost);
    for (const self of [buyer, seller]) {
      assert.ok(!actionsOf(mesh, self, state("down", 50)).includes("withdraw-link"));
      for (const is of ["down", "waiting"] as const)
        assert.ok(actionsOf(mesh, self, state(is, 51)).includes("withdraw-link"), `${self} ${is}`);
      assert.ok(isWanted(mesh, self));
      assert.ok(!isWanted(meshAfter(lost, withdrawn), self));
    }
  });

  it("is not withdrawn while it is up, while meshd does not report it, or by a report of an earlier attempt", () => {
    for (const each of [state("up", 1000), null, state("down", 1000, 7)])
      assert.ok(!actionsOf(meshAfter(), buyer, each).includes("withdraw-link"));
  });

  it("is offered again with the next attempt by the buyer alone, and wanted again once both agree on one", () => {
    const mesh = meshAfter(lost, withdrawn);
    assert.deepEqual(actionsOf(mesh, buyer, null), ["offer 1"]);
    assert.deepEqual(actionsOf(mesh, seller, null), []);
    const again = meshAfter(lost, withdrawn, agreed(1));
    assert.ok(isWanted(again, buyer));
    assert.deepEqual(actionsOf(again, buyer, state("up", 1, 1)), []);
  });

  it("its lease counts as lost until the link was up for 20 s", () => {
    const mesh = meshAfter(lost, withdrawn, agreed(1));
    assert.ok(isMissing(mesh));
    assert.deepEqual(actionsOf(mesh, buyer, state("up", 20, 1)), []);
    assert.deepEqual(actionsOf(mesh, buyer, state("up", 21, 1)), ["declare-returned"]);
    const back = meshAfter(lost, withdrawn, agreed(1), returned);
    assert.ok(!isMissing(back));
    assert.deepEqual(actionsOf(back, buyer, state("up", 22, 1)), []);
    assert.ok(actionsOf(back, buyer, state("down", 21, 1)).includes("declare-lost"), "and may be lost again");
  });
});

/** Real agents on a real chain; the times are those of the product, so this takes two minutes. */
describe("a seller that is away for a minute", function () {
  this.timeout(300_000);
  let regions: Regions;
  let [hub, away]: readonly Agent[] = [];

  before(async () => {
    regions = await Regions.start(2);
    [hub, away] = regions.agents;
  });
  after(() => regions?.stop());

  const linksAt = (agent: Agent) => regions.ether.specOf(agent.id)?.links ?? [];

  it("loses its interface at the buyer, which makes it again when the seller is back; the lease runs on and is signed for", async () => {
    const [granted] = await regions.running({ mbps: 80, durationSeconds: 900 });
    const before = linksAt(hub!)[0]!;
    await away!.stop();
    await eventually("lost", async () => hub!.journaled("PeerLost").length > 0 || undefined);
    assert.equal(linksAt(hub!).length, 1, "the interface is kept for the grace");
    await eventually("withdrawn at meshd", async () => linksAt(hub!).length === 0 || undefined);
    await eventually("gone in the API", async () => (await hub!.mesh())?.links[0]?.state === "gone" || undefined);
    const signed = async () =>
      (await hub!.leases()).find(({ leaseId }) => leaseId === granted!.leaseId)?.receipt?.epochs;
    const epochs = (await signed()) ?? 0;

    await away!.start();
    await eventually("wanted again at both ends, with new keys", async () => {
      const [here, there] = [linksAt(hub!)[0], linksAt(away!)[0]];
      return (here && here.attempt > before.attempt && here.attempt === there?.attempt) || undefined;
    });
    await eventually("it serves again", async () => hub!.journaled("PeerReturned").length > 0 || undefined);
    await eventually("a later receipt", async () => ((await signed()) ?? 0) > epochs || undefined);
  });
});
