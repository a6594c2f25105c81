import assert from "node:assert/strict";
import type { GrantedLease } from "../../agent/auction/facts.ts";
import { leaseIdOf } from "../../agent/auction/leases.ts";
import { type Auction, emptyMesh, type Mesh, phaseOf } from "../../agent/coordinator/mesh.ts";
import { type MeshFacts, nextActions } from "../../agent/coordinator/next-actions.ts";
import { mayOpen, shortfallOf } from "../../agent/coordinator/shortfall.ts";
import { auctionId, type LeaseId, type LinkId, meshId, type RegionId, regionId } from "../../agent/model/ids.ts";

const self = regionId.parse(1);
const LEAD = 20;
const TRIGGERED = 10_000;
const START = 10_030;
const HOUR = 3600;

const event = (renews = false) =>
  ({
    id: "e",
    kind: "disaster",
    demandMbps: 100,
    durationSeconds: HOUR,
    topology: "auto",
    renews,
    reason: "test",
    requestId: null,
    atSeconds: TRIGGERED,
  }) as const;

interface Bought {
  readonly opened: number;
  readonly mbps: readonly number[];
  readonly start?: number;
  readonly seconds?: number;
}

function auction(id: number, { opened, mbps, start = START, seconds = HOUR }: Bought): Auction {
  const leases = mbps.map(
    (each, index): GrantedLease => ({
      id: leaseIdOf(auctionId.parse(id), index) as LeaseId,
      index,
      seller: (2 + index) as RegionId,
      buyer: self,
      lots: each,
      mbps: each,
      startSeconds: start,
      endSeconds: start + seconds,
    }),
  );
  return {
    terms: {
      id: auctionId.parse(id),
      mesh: meshId.parse(1),
      opener: self,
      openedAtSeconds: opened,
    } as Auction["terms"],
    orders: [],
    order: null,
    outcome: { cancelled: false, lotsTraded: leases.length, price: 1, atSeconds: opened + 10 },
    leases,
    grant: null,
  };
}

function mesh(auctions: readonly Bought[], options: Partial<Mesh> = {}): Mesh {
  return {
    ...emptyMesh("e"),
    id: auctions.length > 0 ? meshId.parse(1) : null,
    event: event(),
    peers: [],
    auctions: auctions.map((each, i) => auction(1 + i, each)),
    ...options,
  };
}

const leaseId = (auctionNumber: number, index: number) => leaseIdOf(auctionId.parse(auctionNumber), index) as LeaseId;
const missing = (of: Mesh, at: number) => shortfallOf(of, self, at, LEAD);
const first: Bought = { opened: TRIGGERED, mbps: [60, 40] };

describe("what an event still has to buy", () => {
  it("everything at first, and nothing while what was bought serves", () => {
    assert.deepEqual(missing(mesh([]), TRIGGERED)?.mbps, 100);
    assert.equal(missing(mesh([first]), START + 100), null);
  });

  it("everything in the order of the first auction too, however short the event", () => {
    const short = { ...event(), durationSeconds: 35 };
    const open = mesh([{ opened: TRIGGERED, mbps: [] }], { event: short });
    const trading = { ...open, auctions: open.auctions.map((each) => ({ ...each, outcome: null })) };
    assert.equal(missing(trading, TRIGGERED + 5)?.mbps, 100);
  });

  it("nothing where the market had less than was wanted, and nobody was lost", () => {
    assert.equal(missing(mesh([{ ...first, mbps: [60] }]), START + 100), null);
  });

  it("what a lost peer was to carry, for the time that is left", () => {
    const lost = mesh([first], { lost: new Set([leaseId(1, 1)]) });
    const top = missing(lost, START + 600);
    assert.deepEqual([top?.mbps, top?.durationSeconds, top?.earliestStartSeconds], [40, HOUR - 600 - LEAD, 0]);
    const replaced = mesh([first, { opened: START + 600, mbps: [40], start: START + 630, seconds: 2900 }], {
      lost: new Set([leaseId(1, 1)]),
    });
    assert.equal(missing(replaced, START + 700), null, "replaced once");
  });

  it("nothing for less than the shortest term, and nothing once the event is resolved or abandoned", () => {
    const lost = { lost: new Set([leaseId(1, 1)]) };
    assert.equal(missing(mesh([first], lost), START + HOUR - 200), null);
    assert.equal(
      missing(mesh([first], { ...lost, resolved: { reason: "down", atSeconds: START } }), START + 600),
      null,
    );
    assert.equal(missing(mesh([first], { ...lost, abandoned: "no policy" }), START + 600), null);
  });

  it("all of it again where nothing could be bought, later each time, until the event no longer needs it", () => {
    const nothing: Bought = { opened: TRIGGERED, mbps: [] };
    const once = mesh([nothing]);
    assert.equal(missing(once, TRIGGERED + 30)?.mbps, 100);
    assert.deepEqual(
      [59, 60].map((s) => mayOpen(once, TRIGGERED + s)),
      [false, true],
    );
    const twice = mesh([nothing, { ...nothing, opened: TRIGGERED + 60 }]);
    assert.deepEqual(
      [119, 120].map((s) => mayOpen(twice, TRIGGERED + 60 + s)),
      [false, true],
    );
    assert.equal(phaseOf(once, self, TRIGGERED + 60), "buying");
    assert.equal(phaseOf(once, self, TRIGGERED + HOUR), "over");
  });

  it("one auction at a time", () => {
    const open = mesh([first]);
    const trading = { ...open, auctions: open.auctions.map((each) => ({ ...each, outcome: null })) };
    assert.equal(mayOpen(trading, START + HOUR), false);
  });

  it("an event that lasts until it is resolved buys the same again before its term ends, from that end on, once", () => {
    const renewing = mesh([first], { event: event(true) });
    const end = START + HOUR;
    assert.equal(missing(renewing, end - 200), null);
    const again = missing(renewing, end - 70);
    assert.deepEqual([again?.mbps, again?.earliestStartSeconds, again?.durationSeconds], [100, end, HOUR]);
    const renewed = mesh([first, { opened: end - 70, mbps: [50, 50], start: end }], { event: event(true) });
    assert.equal(missing(renewed, end - 50), null);
    assert.equal(missing(renewed, end + 100), null);
    assert.equal(missing(renewed, end + HOUR - 70)?.mbps, 100, "and again at the next end");
  });

  it("a renewal that came too late is made up for at once", () => {
    const gap = missing(mesh([first], { event: event(true) }), START + HOUR + 5);
    assert.deepEqual([gap?.mbps, gap?.earliestStartSeconds], [100, 0]);
  });
});

describe("a peer that is lost", () => {
  const facts = (nowSeconds: number, links: MeshFacts["links"]): MeshFacts => ({
    self,
    headNumber: 100,
    blockNumber: 1,
    nowSeconds,
    chainReachable: true,
    clearBlocks: 20,
    leadSeconds: LEAD,
    draining: false,
    sells: true,
    links,
  });
  const linkOf = (index: number) => leaseId(1, index) as string as LinkId;
  const link = (state: "waiting" | "up" | "down", seconds: number) => ({
    attempt: 0,
    state,
    forMillis: seconds * 1000,
  });
  const agreed = new Map([0, 1].map((index) => [linkOf(index), { linkId: linkOf(index), attempt: 0 }])) as never;
  const declared = (at: number, links: MeshFacts["links"], options: Partial<Mesh> = { links: agreed }) =>
    nextActions(mesh([first], options), facts(at, links)).flatMap((action) =>
      action.kind === "declare-lost" ? action.leaseId : [],
    );

  it("is given up when its link is down for more than 20 s, not for a cable that is cut for seconds", () => {
    const up = [linkOf(0), link("up", 100)] as const;
    assert.deepEqual(declared(START + 100, new Map([up, [linkOf(1), link("down", 19)]])), []);
    assert.deepEqual(declared(START + 100, new Map([up, [linkOf(1), link("down", 21)]])), [leaseId(1, 1)]);
  });

  it("is given up when its link was never agreed on or never came up within 40 s", () => {
    const up = [linkOf(0), link("up", 100)] as const;
    const half = { links: new Map([[linkOf(0), { linkId: linkOf(0), attempt: 0 }]]) as never };
    assert.deepEqual(declared(START + 39, new Map([up]), half), []);
    assert.deepEqual(declared(START + 41, new Map([up]), half), [leaseId(1, 1)]);
    assert.deepEqual(declared(START + 41, new Map([up, [linkOf(1), link("waiting", 4.5)]])), [leaseId(1, 1)]);
  });

  it("is not given up because meshd was restarted, and knows of no link yet or waits for its first probes", () => {
    assert.deepEqual(declared(START + 100, new Map()), []);
    const waiting = new Map([0, 1].map((i) => [linkOf(i), link("waiting", 3)] as const));
    assert.deepEqual(declared(START + 100, waiting), []);
  });

  it("is replaced by an auction of the same mesh", () => {
    const lost = mesh([first], { links: agreed, lost: new Set([leaseId(1, 1)]) });
    const actions = nextActions(lost, facts(START + 100, new Map([[linkOf(0), link("up", 100)]])));
    const toOpen = actions.find((action) => action.kind === "open-auction");
    assert.equal(toOpen?.kind === "open-auction" && toOpen.shortfall.mbps, 40);
  });
});
