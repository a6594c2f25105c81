import assert from "node:assert/strict";
import fc from "fast-check";
import type { GrantedLease } from "../../agent/auction/facts.ts";
import { leaseIdOf } from "../../agent/auction/leases.ts";
import { type Auction, emptyMesh, type Mesh } from "../../agent/coordinator/mesh.ts";
import {
  digestOfLeases,
  earliestPublishSeconds,
  matchesChain,
  supersedes,
  validTopology,
} from "../../agent/coordinator/publication.ts";
import { auctionId, type LeaseId, meshId, type RegionId, regionId } from "../../agent/model/ids.ts";
import { type SignedTopology, topologyHash } from "../../agent/topology/signing.ts";

const CLEARED = 1000;
const [opener, low, middle, high] = [5, 2, 3, 9].map((id) => regionId.parse(id)) as [
  RegionId,
  RegionId,
  RegionId,
  RegionId,
];

function auction(id: number, sellers: readonly RegionId[], buyer = opener): Auction {
  const leases = sellers.map((seller, index): GrantedLease => {
    const lease = leaseIdOf(auctionId.parse(id), index) as LeaseId;
    return {
      id: lease,
      index,
      seller,
      buyer,
      lots: 1,
      mbps: 10,
      startSeconds: CLEARED + 10,
      endSeconds: CLEARED + 310,
    };
  });
  return {
    terms: { id: auctionId.parse(id), opener } as Auction["terms"],
    orders: [],
    order: null,
    outcome: { cancelled: false, lotsTraded: leases.length, price: 1, atSeconds: CLEARED },
    leases,
    grant: null,
  };
}

const meshOf = (...auctions: Auction[]): Mesh => ({ ...emptyMesh("mesh-7"), id: meshId.parse(7), auctions });
const mesh = meshOf(auction(7, [low, middle, high]));
const published = (of: Mesh, publisher: RegionId, auctions = 1): SignedTopology => ({
  requested: "ring",
  auctions,
  leases: digestOfLeases(of, auctions),
  pairs: [],
  publisher,
  signature: "0x00",
});

describe("who publishes a topology, and which one is used", () => {
  it("the opener at once; then each participant in turn, lowest first; nobody else ever", () => {
    const from = (self: RegionId) => earliestPublishSeconds(mesh, self, CLEARED);
    assert.equal(from(opener), 0);
    assert.deepEqual([low, middle, high].map(from), [CLEARED + 10, CLEARED + 15, CLEARED + 20]);
    assert.equal(from(regionId.parse(1)), Number.POSITIVE_INFINITY);
  });

  it("a region without a lease has no turn", () => {
    const second = auction(8, [middle]);
    const later = meshOf(auction(7, [low]), {
      ...second,
      outcome: { cancelled: false, lotsTraded: 1, price: 1, atSeconds: 1400 },
      leases: second.leases.map((lease) => ({ ...lease, startSeconds: 1410, endSeconds: 1710 })),
    });
    assert.equal(earliestPublishSeconds(later, low, 1400), Number.POSITIVE_INFINITY);
    assert.equal(earliestPublishSeconds(later, middle, 1400), 1410);
  });

  it("whatever was published where, and in whatever order it is heard of: all end with the same one", () => {
    const anyTopology = fc.record(
      {
        requested: fc.constantFrom("auto", "star", "ring", "full"),
        auctions: fc.integer({ min: 1, max: 2 }),
        leases: fc.constant(digestOfLeases(mesh, 1)),
        pairs: fc.array(fc.record({ a: fc.constant(low), b: fc.constant(high), rttMicros: fc.nat(3) }), {
          maxLength: 2,
        }),
        publisher: fc.constantFrom(opener, low, middle, high),
        signature: fc.constant("0x00" as const),
      },
      { noNullPrototype: true },
    );
    const best = (of: readonly SignedTopology[]) =>
      of.reduce((current, each) => (supersedes(mesh, each, current) ? each : current));
    const hashOf = (topology: SignedTopology) => topologyHash(mesh.id!, topology);
    fc.assert(
      fc.property(
        fc
          .array(anyTopology, { minLength: 1, maxLength: 6 })
          .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([inOneOrder, inAnother]) => assert.equal(hashOf(best(inOneOrder)), hashOf(best(inAnother))),
      ),
    );
  });

  it("more auctions counted go first, then the opener's topology, then the lowest region's", () => {
    const two = meshOf(auction(7, [low, high]), auction(8, [middle]));
    const order = [published(two, high, 2), published(two, opener), published(two, low), published(two, middle)];
    for (const [i, one] of order.entries())
      for (const [k, other] of order.entries()) assert.equal(supersedes(two, one, other), i < k, `${i} ${k}`);
  });

  it("one by a region outside the mesh, for leases that the chain does not have, or for more auctions than are known does not match", () => {
    assert.ok(matchesChain(mesh, published(mesh, high)));
    assert.ok(!matchesChain(mesh, published(mesh, regionId.parse(1))));
    assert.ok(!matchesChain(mesh, { ...published(mesh, low), leases: `0x${"00".repeat(32)}` }));
    assert.ok(!matchesChain(mesh, { ...published(mesh, low), auctions: 2 }));
  });

  it("one that counts leases which the chain took back and gave to others is void; leases at another time are the same", () => {
    const topology = { ...published(mesh, low), mode: "ring", reason: "", added: [] } as const;
    const others = meshOf(auction(7, [low, high]));
    assert.equal(validTopology({ ...others, topology }), null);
    const shifted = meshOf({
      ...mesh.auctions[0]!,
      leases: mesh.auctions[0]!.leases.map((l) => ({ ...l, startSeconds: 1020 })),
    });
    assert.equal(validTopology({ ...shifted, topology }), topology);
  });
});
