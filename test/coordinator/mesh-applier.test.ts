import assert from "node:assert/strict";
import pino from "pino";
import { leaseIdOf } from "../../agent/auction/leases.ts";
import { ChainClock } from "../../agent/chain/clock.ts";
import { emptyMesh, type Mesh } from "../../agent/coordinator/mesh.ts";
import { type ApplierSite, MeshApplier } from "../../agent/coordinator/mesh-applier.ts";
import { emptyWorld } from "../../agent/coordinator/reduce.ts";
import { Telemetry } from "../../agent/coordinator/telemetry.ts";
import { auctionId, type LeaseId, type LinkId, meshId, regionId } from "../../agent/model/ids.ts";
import { monotonicMillis } from "../../agent/model/time.ts";

const [self, peer] = [regionId.parse(1), regionId.parse(2)];

/** A mesh with one agreed link whose lease runs. */
function running(id: number): Mesh {
  const lease = leaseIdOf(auctionId.parse(id), 0) as LeaseId;
  const nowSeconds = Math.floor(monotonicMillis() / 1000);
  const terms = { id: auctionId.parse(id), mesh: meshId.parse(id), fabric: "ix", latencyBoundMicros: 50_000 };
  return {
    ...emptyMesh(`mesh-${id}`),
    id: meshId.parse(id),
    auctions: [
      {
        terms: terms as Mesh["auctions"][number]["terms"],
        orders: [],
        order: null,
        outcome: null,
        grant: null,
        leases: [
          {
            id: lease,
            index: 0,
            seller: peer,
            buyer: self,
            lots: 1,
            mbps: 10,
            startSeconds: nowSeconds,
            endSeconds: nowSeconds + 3600,
          },
        ],
      },
    ],
    links: new Map([
      [
        lease as string as LinkId,
        {
          linkId: lease as string as LinkId,
          attempt: 0,
          peer,
          underlay: "ix",
          peerEndpoint: { address: "192.0.2.1", port: 51820 },
          mtu: 1420,
          transcript: "0x00",
        },
      ],
    ]),
  };
}

/** A site whose meshd refuses one mesh. */
function site(refused: number, asked: string[], held: readonly number[] = []): ApplierSite {
  const clock = new ChainClock({ load: () => new Map(), save: () => undefined });
  clock.observe(0, 0);
  const region = (id: number) => ({ id: regionId.parse(id), routingKey: `0x${"0".repeat(64)}`, prefixes: [] });
  return {
    self,
    clock,
    config: { routing: { fallback: "peering" } },
    world: () => emptyWorld,
    regions: () => new Map([self, peer].map((id) => [id, region(id)])),
    log: pino({ level: "silent" }),
    meshd: {
      ask: async (type: string, body: { mesh?: { meshId: number }; meshId?: number }) => {
        const of = body.mesh?.meshId ?? body.meshId;
        asked.push(of === undefined ? type : `${type} ${of}`);
        if (body.mesh?.meshId === refused) throw new Error("LINK_NOT_PREPARED");
        return type === "measurements"
          ? { meshes: held.map((meshId) => ({ meshId, links: [] })) }
          : type === "counters"
            ? { links: [] }
            : { uptimeMillis: 1e9 };
      },
    },
  } as unknown as ApplierSite;
}

const applierOf = (of: ApplierSite) => new MeshApplier(of, new Telemetry(of));
const changes = (asked: readonly string[]) => asked.filter((each) => / \d/.test(each));

describe("what meshd is told", () => {
  it("a mesh that was dissolved while others were waited for is not put up again behind that", async () => {
    const asked: string[] = [];
    const stale = running(1);
    const gone = { ...stale, links: new Map() };
    const world = () => ({ ...emptyWorld, meshes: new Map([[stale.key, gone]]) });
    await applierOf({ ...site(0, asked), world }).apply([stale], 1000);
    assert.deepEqual(changes(asked), []);
  });

  it("a mesh that meshd refuses is measured all the same: a restart of meshd that lost the keys is seen and fixed", async () => {
    const asked: string[] = [];
    const applier = applierOf(site(1, asked));
    // As often as the coordinator's tick, for a second.
    for (let millis = 0; millis < 1000; millis += 100) await applier.apply([running(1)], 1000 + millis);
    assert.ok(asked.filter((type) => type === "measurements").length >= 3, asked.join(", "));
    assert.ok(asked.filter((type) => type === "applyMesh 1").length <= 4, "and it is not asked at every tick");
  });

  it("a disk that is full where lease times are written down ends nothing: what runs is measured, and said once", async () => {
    const asked: string[] = [];
    const full = site(0, asked);
    const clock = new ChainClock({
      load: () => new Map(),
      save: () => {
        throw new Error("JOURNAL_DISK_FULL");
      },
    });
    clock.observe(0, 0);
    const applier = applierOf({ ...full, clock });
    for (let millis = 0; millis < 1000; millis += 100) await applier.apply([running(1)], 1000 + millis);
    assert.ok(asked.includes("measurements"), asked.join(", "));
    assert.deepEqual(changes(asked), []);
  });

  it("a mesh that meshd refuses keeps no other from being applied", async () => {
    const asked: string[] = [];
    const applier = applierOf(site(1, asked));
    await applier.apply([running(1), running(2)], 1000);
    assert.ok(asked.includes("applyMesh 2"), asked.join(", "));
    assert.deepEqual([applier.isApplied(running(1)), applier.isApplied(running(2))], [false, true]);
  });

  it("after a reorganisation nothing is changed for 5 s; what the chain has no lease for any more goes then", async () => {
    const asked: string[] = [];
    const applier = applierOf(site(0, asked, [1]));
    const granted = running(1);
    const withdrawn = { ...granted, auctions: granted.auctions.map((auction) => ({ ...auction, leases: [] })) };
    await applier.apply([granted], 1000);
    applier.pauseChanges(2000);
    asked.length = 0;
    for (let millis = 2000; millis < 7000; millis += 250) await applier.apply([withdrawn], millis);
    assert.deepEqual(changes(asked), []);
    await applier.apply([withdrawn], monotonicMillis() + 10_000);
    assert.deepEqual(changes(asked), ["removeMesh 1"]);
  });

  it("what meshd still has of a mesh that this agent knows nothing of goes when the agent starts", async () => {
    const asked: string[] = [];
    await applierOf(site(0, asked, [1])).apply([], monotonicMillis());
    assert.deepEqual(changes(asked), ["removeMesh 1"]);
  });

  it("a mesh whose leases are over is left for `dissolve`, which counts before it goes", async () => {
    const asked: string[] = [];
    const applier = applierOf(site(0, asked, [1]));
    const over = running(1);
    const auctions = over.auctions.map((each) => ({
      ...each,
      leases: each.leases.map((lease) => ({ ...lease, startSeconds: 0, endSeconds: 1 })),
    }));
    await applier.apply([{ ...over, auctions }], monotonicMillis());
    assert.deepEqual(changes(asked), []);
  });

  it("what is applied is not applied again", async () => {
    const asked: string[] = [];
    const applier = applierOf(site(0, asked));
    const mesh = running(1);
    for (let millis = 0; millis < 500; millis += 100) await applier.apply([mesh], 1000 + millis);
    assert.equal(asked.filter((type) => type === "applyMesh 1").length, 1);
  });
});
