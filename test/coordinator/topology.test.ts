import assert from "node:assert/strict";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import type { GrantedLease } from "../../agent/auction/facts.ts";
import { leaseIdOf } from "../../agent/auction/leases.ts";
import { ControlClient } from "../../agent/control/client.ts";
import { PeerVersions } from "../../agent/control/protocol-version.ts";
import { controlApp, listen } from "../../agent/control/server.ts";
import { answersOf } from "../../agent/coordinator/answers.ts";
import { compareTopology, fetchTopology, publishTopology } from "../../agent/coordinator/handlers/topology.ts";
import { type Auction, emptyMesh, type Mesh, type PublishedTopology } from "../../agent/coordinator/mesh.ts";
import { MAX_PAIRS, pairsOnWire } from "../../agent/coordinator/pairs.ts";
import { emptyWorld, reduce } from "../../agent/coordinator/reduce.ts";
import type { Site } from "../../agent/coordinator/site.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { auctionId, type LeaseId, meshId, type RegionId, regionId } from "../../agent/model/ids.ts";
import { topologyTypedData } from "../../agent/topology/signing.ts";
import type { MeasuredPair } from "../../agent/topology/topology.ts";

const id = (n: number): RegionId => regionId.parse(n);
const domain = { chainId: 7357, membership: `0x${"11".repeat(20)}` } as const;

/** The longest that regions of five digits can have: the message is as large as it gets. */
const roundTrip = (a: number, b: number) => 9_000_000 + ((a * 7919 + b * 104_729) % 999_999);

/** A mesh in which the lowest of the participants bought of all others. */
function meshOf(participants: readonly RegionId[]): Mesh {
  const [opener, ...sellers] = participants as [RegionId, ...RegionId[]];
  const leases = sellers.map((seller, index): GrantedLease => {
    const lease = leaseIdOf(auctionId.parse(7), index) as LeaseId;
    const times = { startSeconds: 1010, endSeconds: 1310 };
    return { id: lease, index, seller, buyer: opener, lots: 1, mbps: 10, ...times };
  });
  const measured = participants.flatMap((a, i) =>
    participants.slice(i + 1).map((b): MeasuredPair => ({ a, b, rttMicros: roundTrip(a, b) })),
  );
  const terms = { id: auctionId.parse(7), mesh: meshId.parse(7), opener, kind: "disaster" };
  const auction: Auction = {
    terms: { ...terms, latencyBoundMicros: 10_000_000 } as Auction["terms"],
    orders: [],
    order: null,
    outcome: { cancelled: false, lotsTraded: leases.length, price: 1, atSeconds: 1000 },
    leases,
    grant: null,
  };
  return {
    ...{ ...emptyMesh("mesh-7"), id: meshId.parse(7), auctions: [auction] },
    pairs: { measured, auctions: 1 },
  };
}

/** Some regions of a mesh, each with its own keys, world and control channel over loopback. */
class Peers {
  readonly #servers: Server[] = [];
  readonly #regions = new Map<RegionId, { id: RegionId; agentKey: `0x${string}`; controlUrls: string[] }>();

  async add(self: RegionId, mesh: Mesh): Promise<Site> {
    const key = privateKeyToAccount(generatePrivateKey());
    const versions = new PeerVersions(() => undefined);
    const agentKeyOf = (region: RegionId) => this.#regions.get(region)?.agentKey ?? null;
    let world = {
      ...emptyWorld,
      meshes: new Map([[mesh.key, mesh]]),
      keys: new Map([[meshId.parse(7), mesh.key]]),
    };
    const site = {
      config: { topology: "ring" },
      deployment: { chainId: domain.chainId, auction: `0x${"22".repeat(20)}` },
      clock: { nowSeconds: () => 1000 },
      control: new ControlClient(self, domain, key, agentKeyOf, () => [], versions),
      regions: () => this.#regions,
      world: () => world,
      dispatch: (message: Parameters<Site["dispatch"]>[0]) => {
        world = reduce(world, message) as typeof world;
      },
      ...{ self, key },
    } as unknown as Site;
    const options = { self, domain, key, agentKeyOf, handlers: answersOf(site), enis: () => [], versions };
    const server = await listen(controlApp({ ...options, onRefused: () => undefined }), { host: "127.0.0.1", port: 0 });
    this.#servers.push(server);
    const controlUrls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`];
    this.#regions.set(self, { id: self, agentKey: key.address, controlUrls });
    return site;
  }

  stop(): void {
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}

describe("coordinator/topology", function () {
  this.timeout(60_000);
  let peers: Peers;
  beforeEach(() => {
    peers = new Peers();
  });
  afterEach(() => peers.stop());

  for (const [size, pairs] of [
    [200, (199 * 198) / 2],
    [210, MAX_PAIRS],
  ] as const) {
    it(`among ${size} participants what one publishes is fetched and passed on, and all have the same links`, async () => {
      const participants = Array.from({ length: size }, (_, i) => id(99_999 - size + i));
      const mesh = meshOf(participants);
      const [opener, fetching, hearing] = [
        await peers.add(participants[0]!, mesh),
        await peers.add(participants[1]!, { ...mesh, pairs: null }),
        await peers.add(participants[2]!, { ...mesh, pairs: null }),
      ];
      const topologyAt = (site: Site) => site.world().meshes.get(mesh.key)?.topology;
      await publishTopology(opener, mesh);
      await fetchTopology(fetching, mesh, { kind: "fetch-topology", from: [opener.self] });
      const current = fetching.world().meshes.get(mesh.key)!;
      await compareTopology(fetching, current, { kind: "compare-topology", with: hearing.self });
      const published = topologyAt(opener);
      assert.equal(published?.pairs.length, pairs);
      assert.equal(published.added.length, size - 1);
      assert.deepEqual(topologyAt(fetching), published);
      assert.deepEqual(topologyAt(hearing), published);
    });
  }

  describe("a forged topology", () => {
    const [one, two, forger] = [id(1), id(2), id(3)];
    const mesh = meshOf([one, two, forger]);
    let opener: Site;
    let fetching: Site;
    let byForger: Site;
    const topologyAt = (site: Site) => site.world().meshes.get(mesh.key)?.topology ?? null;

    beforeEach(async () => {
      opener = await peers.add(one, mesh);
      fetching = await peers.add(two, { ...mesh, pairs: null });
      byForger = await peers.add(forger, mesh);
      await publishTopology(byForger, mesh);
    });

    /** What the forger holds and passes on from now on. */
    const holds = (change: Partial<PublishedTopology>) =>
      byForger.dispatch({
        type: "TopologyPublished",
        meshId: meshId.parse(7),
        topology: { ...topologyAt(byForger)!, ...change },
      });
    const fetch = () => fetchTopology(fetching, mesh, { kind: "fetch-topology", from: [forger] });
    const isForged = (error: unknown) => error instanceof EphemeshError && error.code === "TOPOLOGY_SIGNATURE";
    const forgedSignature = (change: Partial<PublishedTopology>) =>
      byForger.key.signTypedData(
        topologyTypedData(domain.chainId, byForger.deployment.auction, meshId.parse(7), {
          ...topologyAt(byForger)!,
          ...change,
        }),
      );

    it("TOPOLOGY_SIGNATURE: signed by a participant in the opener's name is refused when it is fetched and when it is told", async () => {
      holds({ publisher: one, signature: await forgedSignature({ publisher: one }) });
      await assert.rejects(fetch(), isForged);
      const compare = { kind: "compare-topology", with: two } as const;
      await assert.rejects(compareTopology(byForger, byForger.world().meshes.get(mesh.key)!, compare), isForged);
      assert.equal(topologyAt(fetching), null);
    });

    it("TOPOLOGY_SIGNATURE: the opener's own with other round trips, another mode or a broken signature is refused", async () => {
      await publishTopology(opener, mesh);
      const genuine = topologyAt(opener)!;
      const [first, ...others] = genuine.pairs;
      for (const change of [
        { pairs: [{ ...first!, rttMicros: 1 }, ...others] },
        { pairs: others },
        { requested: "full" as const },
        { signature: `0x${"00".repeat(65)}` as const },
      ]) {
        holds({ ...genuine, ...change });
        await assert.rejects(fetch(), isForged, JSON.stringify(change));
        assert.equal(topologyAt(fetching), null);
      }
      holds(genuine);
      await fetch();
      assert.deepEqual(topologyAt(fetching), genuine);
    });

    it("TOPOLOGY_SIGNATURE: one signed for another mesh or another deployment is refused", async () => {
      const { chainId } = domain;
      const { auction } = byForger.deployment;
      for (const [chain, contract, id] of [
        [chainId + 1, auction, 7],
        [chainId, `0x${"33".repeat(20)}`, 7],
        [chainId, auction, 8],
      ] as const) {
        const data = topologyTypedData(chain, contract, meshId.parse(id), topologyAt(byForger)!);
        holds({ signature: await byForger.key.signTypedData(data) });
        await assert.rejects(fetch(), isForged);
      }
    });
  });

  it("what is no list of pairs is refused", () => {
    for (const flat of [
      [1, 2],
      [1, 2, -1],
      [1, 2, 10_000_000],
      [0, 2, 5],
      [1, 2, 5, 3],
      [1.5, 2, 5],
      ["1", 2, 5],
    ])
      assert.ok(!pairsOnWire.safeParse(flat).success, JSON.stringify(flat));
    assert.ok(!pairsOnWire.safeParse(new Array(3 * MAX_PAIRS + 3).fill(1)).success);
    assert.deepEqual(pairsOnWire.parse([1, 2, 5]), [{ a: 1, b: 2, rttMicros: 5 }]);
  });
});
