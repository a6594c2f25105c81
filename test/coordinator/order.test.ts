import assert from "node:assert/strict";
import type { AuctionTerms } from "../../agent/auction/facts.ts";
import { emptyMesh, type Mesh, type PreparedOrder, type TriggeredEvent } from "../../agent/coordinator/mesh.ts";
import { decideAsk, decideBid, decideTerms, type MarketFacts, spentToday } from "../../agent/coordinator/order.ts";
import { leadSeconds } from "../../agent/coordinator/shortfall.ts";
import { auctionId, type LeaseId, meshId, type RegionId, regionId } from "../../agent/model/ids.ts";
import { placeOf, type Region } from "../../agent/model/region.ts";
import type { ScannedPeer } from "../../agent/scan/rank.ts";

const NOW = 86_400 * 20_000 + 3_600;
const [self, near, far] = [1, 2, 3].map((id) => regionId.parse(id)) as [RegionId, RegionId, RegionId];
const FUNDS = { free: 10n ** 12n, allowance: 10n ** 12n, minBond: 1000n };
const NO_PRIORITY = { score: 0, budgetLeft: 0n };
const CONSTANTS = { clearBlocks: 60, minBond: 1000n, maxCosine: 1e9, urgentBlocks: 5, normalBlocks: 20 };
const POLICY = {
  maxPrice: 4000,
  boost: 0,
  maxMbps: 600,
  budgetPerDay: 10 ** 9,
  minScore: false,
  profile: "urgent",
} as const;

function region(id: RegionId, change: Partial<Region> = {}): Region {
  return {
    ...{ id, name: `r${id}`, organisation: id, treasury: "0x01", agentKey: "0x02", routingKey: "0x03" },
    ...{ place: placeOf(50, id), prefixes: [], fabrics: ["ix"], attributes: [], controlUrls: [], active: true },
    ...change,
  };
}

const underlay = (fabric: string, spareMbps: number) => ({
  ...{ name: fabric, fabric, device: "d0", address: "192.0.2.1", endpoint: "192.0.2.1", ports: "51820-51919" },
  spareMbps,
});

type Change = Partial<Omit<MarketFacts, "config" | "regions">> & {
  readonly config?: Partial<MarketFacts["config"]>;
  readonly regions?: readonly Region[];
};

function facts({ config, regions = [region(self), region(near), region(far)], ...change }: Change = {}): MarketFacts {
  return {
    ...{ self, constants: CONSTANTS, nowSeconds: NOW, fabrics: ["other", "ix", "metro"], meshes: [] },
    regions: new Map(regions.map((each) => [each.id, each])),
    config: {
      underlays: [underlay("ix", 400)],
      sell: { floorPrice: 1000, reserveMbps: 100, perAuctionMbps: 400 },
      buy: { disaster: POLICY },
      accept: { radius: { rttMillis: 20 }, require: [] },
      ...config,
    },
    ...change,
  };
}

const peer = (id: RegionId, distanceKm: number, included = true): ScannedPeer => ({
  ...{ id, name: `r${id}`, rttMicros: 1000, distanceKm, included, reason: "" },
});
const event: TriggeredEvent = {
  ...{ id: "e", kind: "disaster", demandMbps: 100, durationSeconds: 600, topology: "auto", renews: false },
  ...{ reason: "test", requestId: null, atSeconds: NOW },
};
const need = { mbps: 100, durationSeconds: 601, earliestStartSeconds: 0 };
const opened = (of: MarketFacts, peers = [peer(near, 100), peer(far, 300)]) => {
  const plan = decideTerms(event, need, peers, 0, of);
  assert.ok(!("declined" in plan));
  return plan;
};
const radiusKm = (cosine: number) => 6371 * Math.acos(cosine / 1e9);

const terms: AuctionTerms = {
  ...{ id: auctionId.parse(7), mesh: meshId.parse(7), opener: near, kind: "disaster", fabric: "ix" },
  ...{ place: placeOf(50, near), cosine: 0, attributes: 0, latencyBoundMicros: 40_000, lotMbps: 10, slots: 10 },
  ...{ earliestStartSeconds: 0, priceCap: 1_000_000, openBlock: 1, openedAtSeconds: NOW, phaseBlocks: 5 },
};

/** A mesh with one auction in which this region takes part. */
function meshWith(auction: Partial<Mesh["auctions"][number]>, own: Partial<Mesh> = {}): Mesh {
  const full = { terms, orders: [], order: null, outcome: null, leases: [], grant: null, ...auction };
  return { ...emptyMesh("m"), id: meshId.parse(7), auctions: [full], ...own };
}
const order = (side: "bid" | "ask", price: number, lots: number): PreparedOrder => ({
  ...{ side, price, lots, boostBps: 0, bond: 1n, salt: "0x00", commitment: "0x00", reasons: [] },
});
const lease = (buyer: RegionId, seller: RegionId, change = {}) => ({
  ...{ id: "0x01" as LeaseId, index: 0, buyer, seller, lots: 4, mbps: 40, startSeconds: NOW, endSeconds: NOW + 600 },
  ...change,
});

describe("the auction that a region opens", () => {
  it("is on the fabric with the most peers in reach, by its number in the register", () => {
    const two = facts({
      config: { underlays: [underlay("ix", 900), underlay("metro", 100)] },
      regions: [region(self), region(near, { fabrics: ["ix", "metro"] }), region(far, { fabrics: ["metro"] })],
    });
    const { terms: asked, fabric } = opened(two);
    assert.deepEqual([asked.fabric, fabric.name], [2, "metro"]);
    // The peer that is out of reach counts on neither.
    assert.equal(opened(two, [peer(near, 100), peer(far, 300, false)]).fabric.name, "ix");
  });

  it("counts as spare what is neither leased nor offered on a fabric", () => {
    const offered = meshWith({ order: order("ask", 100, 30) });
    const regions = [region(self), region(near, { fabrics: ["ix", "metro"] })];
    const config = { underlays: [underlay("ix", 400), underlay("metro", 200)] };
    assert.equal(opened(facts({ config, regions })).fabric.name, "ix");
    assert.equal(opened(facts({ config, regions, meshes: [offered] })).fabric.name, "metro");
  });

  it("is refused where the register has none of the region's fabrics", () => {
    assert.throws(() => opened(facts({ fabrics: ["other"] })), { code: "FABRIC_UNKNOWN" });
  });

  it("has the minimum score and the profile of its policy", () => {
    const { requiresMinScore, profile } = opened(facts()).terms;
    assert.deepEqual([requiresMinScore, profile], [false, 0]);
    const careful = opened(facts({ config: { buy: { disaster: { ...POLICY, minScore: true, profile: "normal" } } } }));
    assert.deepEqual([careful.terms.requiresMinScore, careful.terms.profile], [true, 1]);
  });

  it("has a lead as long as its profile's phases", () => {
    assert.deepEqual([leadSeconds(CONSTANTS, "urgent"), leadSeconds(CONSTANTS, "normal")], [22, 52]);
  });

  it("has a cell a little wider than its farthest peer, and no wider than accept.radius.km", () => {
    assert.equal(Math.round(radiusKm(opened(facts()).terms.cosine)), 306);
    const within = facts({ config: { accept: { radius: { rttMillis: 20, km: 301 }, require: [] } } });
    assert.equal(Math.round(radiusKm(opened(within).terms.cosine)), 301);
  });

  it("covers the demand in whole slots, asks for the required attributes and bounds the round trip between two sellers", () => {
    const { terms: asked } = opened(
      facts({ config: { accept: { radius: { rttMillis: 20 }, require: ["postQuantum"] } } }),
    );
    assert.deepEqual([asked.slots, asked.attributes, asked.latencyBoundMicros], [11, 1, 40_000]);
  });

  it("is none where the policy buys nothing for the event", () => {
    const plan = decideTerms({ ...event, kind: "surge" }, need, [peer(near, 1)], 0, facts());
    assert.match("declined" in plan ? plan.declined : "", /buys nothing for a surge/);
  });
});

describe("the orders of a region", () => {
  const declined = (plan: object) => ("declined" in plan ? String(plan.declined) : "");

  it("a bid is for what the event misses, within what today's bids leave of the budget", () => {
    const mesh = { ...emptyMesh("e"), event };
    const bid = decideBid(mesh, terms, FUNDS, NO_PRIORITY, facts());
    assert.ok(!("declined" in bid));
    assert.equal(bid.lots, 10);
    const budget = { ...POLICY, budgetPerDay: 400 * 10 * 10 };
    const half = meshWith({ order: order("bid", 400, 5) });
    const rest = decideBid(
      mesh,
      terms,
      FUNDS,
      NO_PRIORITY,
      facts({ config: { buy: { disaster: budget } }, meshes: [half] }),
    );
    assert.ok(!("declined" in rest));
    assert.equal(rest.lots, 5);
    assert.match(declined(decideBid(emptyMesh("e"), terms, FUNDS, NO_PRIORITY, facts())), /no event of this region/);
  });

  it("today's bids count by what they lock, then by the clearing price, then by what settlement took", () => {
    const cleared = { cancelled: false, lotsTraded: 4, price: 300, atSeconds: NOW } as const;
    const bought = { order: order("bid", 400, 5), outcome: cleared, leases: [lease(self, near)] };
    const spent = (...meshes: Mesh[]) => spentToday(facts({ meshes }));
    assert.equal(spent(meshWith({ order: order("bid", 400, 5) })), 400n * 5n * 10n);
    assert.equal(spent(meshWith(bought)), 300n * 4n * 10n);
    const settlement = { buyerPays: 77n, sellerGets: 70n, endSeconds: 600 };
    assert.equal(spent(meshWith(bought, { settled: new Map([["0x01" as LeaseId, settlement]]) })), 77n);
    assert.equal(spent(meshWith({ ...bought, terms: { ...terms, openedAtSeconds: NOW - 86_400 } })), 0n);
  });

  it("INV-11: an ask is for what is spare on the auction's fabric, twice what is leased or offered taken off", () => {
    const lots = (...meshes: Mesh[]) => {
      const ask = decideAsk(terms, FUNDS, facts({ meshes }));
      return "declined" in ask ? 0 : ask.lots;
    };
    assert.equal(lots(), 15);
    assert.equal(lots(meshWith({ order: order("ask", 100, 5) })), 10);
    assert.equal(lots(meshWith({ leases: [lease(near, self)] })), 11);
    assert.equal(lots(meshWith({ leases: [lease(near, self, { endSeconds: NOW - 1 })] })), 15);
    assert.equal(lots(meshWith({ order: order("ask", 100, 5), terms: { ...terms, fabric: "metro" } })), 15);
  });

  it("a region asks in no auction of its organisation, outside its cell, without a required attribute or on a fabric that it lacks", () => {
    const narrow = Math.ceil(1e9 * Math.cos(10 / 6371));
    for (const [of, reason] of [
      [
        decideAsk(terms, FUNDS, facts({ regions: [region(self), region(near, { organisation: self })] })),
        /same organisation/,
      ],
      [decideAsk({ ...terms, cosine: narrow }, FUNDS, facts()), /outside its cell/],
      [decideAsk({ ...terms, attributes: 1 }, FUNDS, facts()), /requires postQuantum/],
      [decideAsk({ ...terms, fabric: "metro" }, FUNDS, facts()), /no underlay on fabric metro/],
    ] as const)
      assert.match(declined(of), reason);
  });
});
