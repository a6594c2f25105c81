import assert from "node:assert/strict";
import type { Hex } from "viem";
import type { AuctionTerms } from "../../agent/auction/facts.ts";
import { leaseIdOf } from "../../agent/auction/leases.ts";
import { meshSpec, wantedLinks } from "../../agent/coordinator/links.ts";
import { type Mesh, type MeshPhase, phaseOf } from "../../agent/coordinator/mesh.ts";
import type { Message } from "../../agent/coordinator/messages.ts";
import { type Action, keyOfAction, type MeshFacts, nextActions } from "../../agent/coordinator/next-actions.ts";
import { digestOfLeases } from "../../agent/coordinator/publication.ts";
import { emptyWorld, reduce, type World } from "../../agent/coordinator/reduce.ts";
import { NO_RECEIPT, type Receipt } from "../../agent/lease/receipt.ts";
import { auctionId, type LeaseId, type LinkId, meshId, type RegionId, regionId } from "../../agent/model/ids.ts";
import type { Region } from "../../agent/model/region.ts";

const [hub, near, far] = [1, 2, 3].map((id) => regionId.parse(id)) as [RegionId, RegionId, RegionId];
const auction = auctionId.parse(7);
const mesh = meshId.parse(7);
const START = 1000;
const END = 1060;
const OPEN_BLOCK = 100;
const PHASE_BLOCKS = 3;
const signature: Hex = `0x${"01".repeat(65)}`;
const key = "event-1";

const terms: AuctionTerms = {
  id: auction,
  mesh,
  opener: hub,
  kind: "rollout",
  fabric: "ix",
  place: { x: 1e9, y: 0, z: 0 },
  cosine: 0,
  attributes: 0,
  latencyBoundMicros: 50_000,
  lotMbps: 20,
  slots: 1,
  earliestStartSeconds: START,
  priceCap: 5000,
  openBlock: OPEN_BLOCK,
  openedAtSeconds: 980,
  phaseBlocks: PHASE_BLOCKS,
};

const event = {
  id: key,
  kind: "rollout",
  demandMbps: 80,
  durationSeconds: 60,
  topology: "ring",
  renews: false,
  reason: "test",
  requestId: null,
  atSeconds: 970,
} as const;

const order = (side: "bid" | "ask") =>
  ({
    side,
    price: 1000,
    lots: 2,
    boostBps: 0,
    bond: 8n,
    salt: `0x${"05".repeat(32)}`,
    commitment: `0x${"06".repeat(32)}`,
    reasons: [],
  }) as const;

const lease = (index: number, seller: RegionId) => ({
  id: leaseIdOf(auction, index) as LeaseId,
  index,
  seller,
  buyer: hub,
  lots: 2,
  mbps: 40,
  startSeconds: START,
  endSeconds: END,
});
const leases = [lease(0, near), lease(1, far)];
const linkOf = (index: number) => leases[index]!.id as string as LinkId;

const committed = (index: number, who: RegionId): Message => ({
  type: "OrderCommitted",
  auctionId: auction,
  regionId: who,
  index,
  side: who === hub ? "bid" : "ask",
  bond: 8n,
  score: 0,
});
const revealed = (index: number): Message => ({
  type: "OrderRevealed",
  auctionId: auction,
  index,
  price: 1000,
  lots: 2,
  bps: 0,
});
const agreed = (index: number, peer: RegionId, attempt = 0): Message => ({
  type: "LinkAgreed",
  meshId: mesh,
  link: {
    linkId: linkOf(index),
    attempt,
    peer,
    underlay: "ix",
    peerEndpoint: { address: "192.0.2.1", port: 51820 },
    mtu: 1420,
    transcript: `0x${"0a".repeat(32)}`,
  },
});
const receipt = (index: number, epochs: number, release = false): Receipt => ({
  leaseId: leases[index]!.id,
  epochs,
  available: epochs * 10,
  packetsToBuyer: 0n,
  bytesToBuyer: 0n,
  packetsToSeller: 0n,
  bytesToSeller: 0n,
  worstRttMicros: 1,
  worstLossPpm: 0,
  release,
  previous: NO_RECEIPT,
});
const cosigned = (index: number, epochs: number, release = false): Message => ({
  type: "ReceiptCosigned",
  meshId: mesh,
  cosigned: { receipt: receipt(index, epochs, release), buyerSignature: signature, sellerSignature: signature },
});
const granted: readonly Message[] = [
  { type: "AuctionCleared", auctionId: auction, lotsTraded: 4, scaledPrice: 10_000_000n, atSeconds: 992 },
  {
    type: "LeasesGranted",
    auctionId: auction,
    terms: {} as Extract<Message, { type: "LeasesGranted" }>["terms"],
    words: [],
    leases,
  },
];
const settled = (index: number): Message => ({
  type: "LeaseSettled",
  auctionId: auction,
  leaseId: leases[index]!.id,
  buyerPays: 5n,
  sellerGets: 5n,
  endSeconds: 60,
});
const dissolved = (index: number, peerSignature: Hex | null = null): Message => ({
  type: "MeshDissolved",
  meshId: mesh,
  record: {
    atSeconds: END + 1,
    links: [{ linkId: linkOf(index), receivedBytes: 1, sentBytes: 2, peerSignature }],
    leftBehind: 0,
  },
});

/** One region's view of the mesh, a message at a time; no socket, no clock. */
class Life {
  #world: World = emptyWorld;
  readonly self: RegionId;
  facts: MeshFacts;

  constructor(self: RegionId, facts: Partial<MeshFacts> = {}) {
    this.self = self;
    this.facts = {
      self,
      blockNumber: OPEN_BLOCK,
      headNumber: OPEN_BLOCK,
      nowSeconds: 980,
      chainReachable: true,
      clearBlocks: 20,
      leadSeconds: 16,
      draining: false,
      sells: true,
      links: new Map(),
      ...facts,
    };
  }

  tell(...messages: readonly Message[]): this {
    this.#world = messages.reduce<World>(reduce, this.#world);
    return this;
  }

  /** Without a head of its own, events are known up to the newest block. */
  at(facts: Partial<MeshFacts>): this {
    const { blockNumber } = facts;
    this.facts = { ...this.facts, ...(blockNumber !== undefined && { headNumber: blockNumber }), ...facts };
    return this;
  }

  get mesh(): Mesh {
    return [...this.#world.meshes.values()][0]!;
  }

  get phase(): MeshPhase {
    return phaseOf(this.mesh, this.self, this.facts.nowSeconds);
  }

  get actions(): readonly Action[] {
    return nextActions(this.mesh, this.facts);
  }

  get kinds(): string[] {
    return this.actions.map(({ kind }) => kind).sort();
  }
}

const opened = (eventId: string | null): Message => ({ type: "AuctionOpened", terms, eventId });
const buyer = () =>
  new Life(hub).tell({ type: "EventTriggered", event }, { type: "PeersScanned", mesh: key, peers: [] }, opened(key), {
    type: "PairsMeasured",
    mesh: key,
    pairs: [],
    auctions: 1,
  });
const seller = () => new Life(near).tell(opened(null));
const traded = (life: Life) =>
  life.tell(
    committed(0, hub),
    committed(1, near),
    committed(2, far),
    revealed(0),
    revealed(1),
    revealed(2),
    ...granted,
  );
const topology: Message = {
  type: "TopologyPublished",
  meshId: mesh,
  topology: {
    ...{ mode: "ring", reason: "test", requested: "ring", pairs: [], added: [], auctions: 1 },
    ...{ leases: digestOfLeases(traded(seller()).mesh, 1), publisher: hub, signature },
  },
};
const collected = (index: number): Message => ({ type: "OrderCollected", auctionId: auction, index, lots: 2 });

describe("coordinator: one mesh's life, without a socket", () => {
  it("the buyer walks every phase of the table in order, and each phase wants its own actions", () => {
    const life = new Life(hub).tell({ type: "EventTriggered", event });
    const walked: [MeshPhase, string[]][] = [];
    const step = () => walked.push([life.phase, life.kinds]);
    step();
    life.tell({ type: "PeersScanned", mesh: key, peers: [] });
    step();
    life.tell(opened(key), { type: "PairsMeasured", mesh: key, pairs: [], auctions: 1 });
    step();
    life.tell({ type: "OrderPrepared", auctionId: auction, order: order("bid") });
    step();
    life.tell(committed(0, hub), committed(1, near), committed(2, far)).at({ blockNumber: 103 });
    step();
    life.tell(revealed(0), revealed(1), revealed(2)).at({ blockNumber: 104 });
    step();
    life.tell(...granted).at({ nowSeconds: 993 });
    step();
    life.tell(collected(0), topology);
    step();
    life.tell(agreed(0, near), agreed(1, far)).at({ nowSeconds: START });
    step();
    life.at({ nowSeconds: START + 13 });
    step();
    life.tell(cosigned(0, 1), cosigned(1, 1));
    step();
    life.at({ nowSeconds: END }).tell(cosigned(0, 6), cosigned(1, 6));
    step();
    life.tell(dissolved(0));
    step();
    life.tell(settled(0), settled(1));
    step();
    life.tell({ type: "TeardownCosigned", meshId: mesh, linkId: linkOf(0), peerSignature: signature });
    step();
    assert.deepEqual(walked, [
      ["scanning", ["scan"]],
      ["buying", ["open-auction"]],
      ["trading", ["prepare-order"]],
      ["trading", ["commit-order"]],
      ["trading", ["reveal-order"]],
      ["trading", ["clear-auction"]],
      ["forming", ["collect-order", "offer-link", "offer-link", "publish-topology"]],
      ["forming", ["compare-topology", "offer-link", "offer-link"]],
      ["running", ["compare-topology"]],
      ["running", ["compare-topology", "exchange-receipt", "exchange-receipt"]],
      ["running", ["compare-topology"]],
      ["dissolving", ["dissolve", "settle-lease", "settle-lease"]],
      ["settling", ["cosign-teardown", "settle-lease", "settle-lease"]],
      ["over", ["cosign-teardown"]],
      ["over", []],
    ]);
  });

  it("a seller offers no link, asks for no receipt, fetches the opener's topology, and settles after the buyer had its time", () => {
    const life = traded(seller()).tell(collected(1)).at({ nowSeconds: 993 });
    assert.deepEqual(life.actions, [{ kind: "fetch-topology", from: [hub] }]);
    life.tell(topology, agreed(0, hub)).at({ nowSeconds: START + 13 });
    assert.deepEqual(life.kinds, ["compare-topology"]);
    life.tell(cosigned(0, 6), dissolved(0, signature));
    assert.deepEqual(life.at({ nowSeconds: END + 14 }).kinds, []);
    assert.deepEqual(life.at({ nowSeconds: END + 15 }).actions, [{ kind: "settle-lease", leaseId: leases[0]!.id }]);
  });

  it("a region that only looks on does nothing", () => {
    const life = traded(new Life(regionId.parse(9), { sells: false }).tell(opened(null))).at({
      nowSeconds: START + 30,
    });
    assert.deepEqual(life.kinds, []);
  });

  describe("windows of the auction", () => {
    it("a commitment goes with the last block of its window, and with none after it", () => {
      const life = buyer().tell({ type: "OrderPrepared", auctionId: auction, order: order("bid") });
      assert.deepEqual(life.at({ blockNumber: OPEN_BLOCK + PHASE_BLOCKS - 1 }).kinds, ["commit-order"]);
      assert.ok(!life.at({ blockNumber: OPEN_BLOCK + PHASE_BLOCKS }).kinds.includes("commit-order"));
    });

    it("an order is revealed from the first block after the commits to the last of the reveals, once, by its number", () => {
      const life = buyer().tell({ type: "OrderPrepared", auctionId: auction, order: order("bid") }, committed(0, hub));
      assert.deepEqual(life.at({ blockNumber: OPEN_BLOCK + PHASE_BLOCKS - 1 }).kinds, []);
      for (const blockNumber of [OPEN_BLOCK + PHASE_BLOCKS, OPEN_BLOCK + 2 * PHASE_BLOCKS - 1])
        assert.deepEqual(life.at({ blockNumber }).actions, [{ kind: "reveal-order", auctionId: auction, index: 0 }]);
      assert.ok(!life.at({ blockNumber: OPEN_BLOCK + 2 * PHASE_BLOCKS }).kinds.includes("reveal-order"));
    });

    it("a declined order is neither sent nor revealed", () => {
      const life = seller().tell({ type: "OrderDeclined", auctionId: auction, reason: "no spare capacity" });
      assert.deepEqual(life.kinds, []);
    });

    it("the opener clears first, each other region a block later, so that they do not all send the same", () => {
      const all = [committed(0, hub), committed(1, near), committed(2, far), revealed(0), revealed(1), revealed(2)];
      const lastReveal = OPEN_BLOCK + 2 * PHASE_BLOCKS;
      assert.deepEqual(
        buyer()
          .tell(...all)
          .at({ blockNumber: lastReveal }).kinds,
        ["clear-auction"],
      );
      const other = seller().tell(...all);
      assert.deepEqual(other.at({ blockNumber: lastReveal + 2 }).kinds, []);
      assert.deepEqual(other.at({ blockNumber: lastReveal + 3 }).kinds, ["clear-auction"]);
    });

    it("INV-4: an auction that nobody cleared in time is cancelled", () => {
      const blockNumber = OPEN_BLOCK + 2 * PHASE_BLOCKS + 21;
      assert.deepEqual(buyer().tell(committed(0, hub)).at({ blockNumber }).kinds, ["cancel-auction"]);
    });

    it("without the chain nothing is traded or settled, and the links are kept up", () => {
      const life = traded(buyer()).tell(topology, agreed(0, near)).at({ chainReachable: false, nowSeconds: 993 });
      assert.deepEqual(
        life.actions.map((a) => a.kind),
        ["compare-topology", "offer-link"],
      );
      assert.deepEqual(buyer().at({ chainReachable: false }).kinds, []);
    });

    it("draining begins nothing new, and finishes what is begun", () => {
      const draining = { draining: true };
      const waiting = new Life(hub, draining).tell(
        { type: "EventTriggered", event },
        { type: "PeersScanned", mesh: key, peers: [] },
      );
      assert.deepEqual(waiting.kinds, []);
      assert.deepEqual(seller().at(draining).kinds, []);
      assert.deepEqual(
        traded(buyer())
          .at({ ...draining, nowSeconds: 993 })
          .kinds.includes("offer-link"),
        true,
      );
    });
  });

  describe("links", () => {
    const running = () => traded(buyer()).tell(collected(0), topology, agreed(1, far), agreed(0, near));
    const offers = (life: Life) =>
      life.actions.flatMap((a) => (a.kind === "offer-link" ? [[a.link.linkId, a.attempt]] : []));
    const state = (attempt: number, is: "waiting" | "up" | "down", forMillis: number) => ({
      nowSeconds: START + 1,
      links: new Map([[linkOf(0), { attempt, state: is, forMillis }]]),
    });

    it("one that never came up is tried with new keys after 5 s, then after twice as long each time, at most 30 s", () => {
      for (const [attempt, patience] of [5000, 10_000, 20_000, 30_000, 30_000].entries()) {
        const life = running().tell(agreed(0, near, attempt));
        assert.deepEqual(offers(life.at(state(attempt, "waiting", patience))), []);
        assert.deepEqual(offers(life.at(state(attempt, "waiting", patience + 1))), [[linkOf(0), attempt + 1]]);
      }
    });

    it("a cable that is cut for seconds needs no new keys; one that is down for half a minute does", () => {
      assert.deepEqual(offers(running().at(state(0, "down", 30_000))), []);
      assert.deepEqual(offers(running().at(state(0, "down", 30_001))), [[linkOf(0), 1]]);
      assert.deepEqual(offers(running().at(state(0, "up", 1e9))), []);
    });

    it("a report of an earlier attempt says nothing about this one", () => {
      assert.deepEqual(
        offers(
          running()
            .tell(agreed(0, near, 1))
            .at(state(0, "down", 1e9)),
        ),
        [],
      );
    });

    it("no link is offered for the last epoch of its lease", () => {
      const life = traded(buyer()).tell(collected(0), topology);
      assert.equal(offers(life.at({ nowSeconds: END - 10 })).length, 2);
      assert.equal(offers(life.at({ nowSeconds: END - 9 })).length, 0);
    });

    it("INV-9: meshd is told prefixes and routing keys of the register alone, and of participants alone", () => {
      const region = (id: RegionId): Region => ({
        id,
        name: `r${id}`,
        organisation: id,
        treasury: "0x",
        agentKey: "0x",
        routingKey: `0x${String(id).repeat(64)}`,
        place: terms.place,
        prefixes: [`10.${id}.0.0/16`],
        fabrics: ["ix"],
        attributes: [],
        controlUrls: [],
        active: true,
      });
      const stranger = regionId.parse(9);
      const register = new Map([hub, near, far, stranger].map((id) => [id, region(id)]));
      const { mesh: known } = running();
      const routing = { probeMillis: 100, fallback: "peering" } as const;
      const spec = meshSpec({ ...known, id: mesh }, hub, register, routing, START + 1, (s) => s * 1000);
      assert.deepEqual(
        spec.participants.map((p) => [p.regionId, p.prefixes]),
        [hub, near, far].map((id) => [id, [`10.${id}.0.0/16`]]),
      );
      for (const { source, destination, sourceRegion, destinationRegion } of spec.pairs) {
        assert.equal(source, `10.${sourceRegion}.0.0/16`);
        assert.equal(destination, `10.${destinationRegion}.0.0/16`);
      }
      assert.deepEqual(spec.transit, [{ buyer: hub, regions: [hub, near, far] }]);
      assert.deepEqual(spec.pairs.length, 4, "each way between the buyer and either seller; none between the sellers");
      const [first] = spec.links;
      assert.deepEqual([first?.startsMonotonicMillis, first?.notAfterMonotonicMillis], [START * 1000, END * 1000]);
    });

    it("what an auction required, routing requires of every link of its buyer's paths", () => {
      const { mesh: known } = running();
      const routing = { probeMillis: 100, fallback: "peering" } as const;
      const transit = (attributes: number, nowSeconds: number) => {
        const auctions = known.auctions.map((each) => ({ ...each, terms: { ...each.terms, attributes } }));
        const spec = meshSpec({ ...known, auctions, id: mesh }, near, new Map(), routing, nowSeconds, (s) => s * 1000);
        return spec.transit;
      };
      assert.deepEqual(transit(1, START + 1), [{ buyer: hub, regions: [hub, near, far], require: ["postQuantum"] }]);
      assert.deepEqual(transit(0, START + 1), [{ buyer: hub, regions: [hub, near, far] }]);
    });

    it("a lease that is over has no link", () => {
      const life = running().tell(cosigned(0, 2, true));
      assert.deepEqual(
        wantedLinks(life.mesh, hub, START + 20).map(({ linkId }) => linkId),
        [linkOf(1)],
      );
    });
  });

  describe("receipts, release and settlement", () => {
    const running = () => traded(buyer()).tell(collected(0), topology, agreed(0, near), agreed(1, far));
    const asked = (life: Life) =>
      life.actions.flatMap((a) => (a.kind === "exchange-receipt" && a.leaseId === leases[0]!.id ? [a] : []));

    it("a receipt is due when the last probes of its epoch can no longer come back", () => {
      assert.deepEqual(asked(running().at({ nowSeconds: START + 12 })), []);
      assert.equal(asked(running().at({ nowSeconds: START + 12.2 }))[0]?.epochs, 1);
      assert.equal(asked(running().at({ nowSeconds: END }))[0]?.epochs, 6, "the whole of it at its end");
    });

    it("the end of an event asks for a release at once; a released lease is over for both", () => {
      const life = running().at({ nowSeconds: START + 25 });
      life.tell({ type: "EventResolved", mesh: key, reason: "done", atSeconds: START + 25 });
      assert.deepEqual(
        asked(life).map(({ epochs, release }) => [epochs, release]),
        [[2, true]],
      );
      life.tell(cosigned(0, 2, true), cosigned(1, 2, true));
      assert.equal(life.phase, "dissolving");
      assert.deepEqual(life.kinds, ["dissolve", "settle-lease", "settle-lease"]);
    });

    it("what cannot be agreed in 30 s after the end is settled with what there is", () => {
      const life = running().tell(cosigned(0, 5), cosigned(1, 6), dissolved(0, signature));
      assert.deepEqual(asked(life.at({ nowSeconds: END + 30 }))[0]?.epochs, 6);
      const later = life.at({ nowSeconds: END + 31 });
      assert.deepEqual(asked(later), []);
      assert.deepEqual(later.kinds, ["settle-lease", "settle-lease"]);
    });

    it("a teardown that the other side does not sign is given up after 30 s, and only the lower region asks", () => {
      const life = running().tell(cosigned(0, 6), cosigned(1, 6), dissolved(0), settled(0), settled(1));
      assert.deepEqual(life.at({ nowSeconds: END + 31 }).kinds, ["cosign-teardown"]);
      assert.deepEqual(life.at({ nowSeconds: END + 32 }).kinds, []);
    });
  });

  it("a message that fits nothing changes nothing", () => {
    const life = traded(buyer()).tell(topology);
    const known = life.mesh;
    const strange: Message[] = [
      { type: "PeersScanned", mesh: "another", peers: [] },
      { ...settled(0), auctionId: auctionId.parse(99) } as Message,
      { ...topology, meshId: meshId.parse(99) } as Message,
    ];
    assert.equal(life.tell(...strange).mesh, known);
  });

  describe("what a reorganisation leaves in the journal", () => {
    const chain: readonly Message[] = [
      opened(key),
      ...[committed(0, hub), committed(1, near), committed(2, far), revealed(0), revealed(1), revealed(2)],
      ...granted,
    ];
    const local: readonly Message[] = [
      { type: "EventTriggered", event },
      { type: "OrderPrepared", auctionId: auction, order: order("bid") },
      topology,
      agreed(0, near),
      agreed(1, far),
      cosigned(0, 1),
    ];

    it("INV-12: the chain's messages follow what was done about them, and count all the same: salt, links, receipts", () => {
      const inOrder = new Life(hub).tell(local[0]!, ...chain, ...local.slice(1)).mesh;
      assert.deepEqual(new Life(hub).tell(...local, ...chain).mesh, inOrder);
      assert.equal(inOrder.receipts.size, 1);
    });

    it("a lease's number that comes back with another pair has nothing of what was agreed and signed with the former", () => {
      const other = leases.map((each) => ({ ...each, seller: each.seller === near ? regionId.parse(8) : each.seller }));
      const life = new Life(hub).tell(...local, ...chain.slice(0, -1), { ...granted[1], leases: other } as Message);
      assert.deepEqual([...life.mesh.links.keys()], [linkOf(1)]);
      assert.equal(life.mesh.receipts.size, 0);
    });
  });

  it("with a finality depth the windows are the chain's, and nothing is cleared before every reveal is known", () => {
    const lastReveal = OPEN_BLOCK + 2 * PHASE_BLOCKS;
    const bid: Message = { type: "OrderPrepared", auctionId: auction, order: order("bid") };
    const life = buyer().tell(bid);
    const lagging = (headNumber: number) => life.at({ blockNumber: headNumber - 2, headNumber }).kinds;
    assert.deepEqual(lagging(OPEN_BLOCK + PHASE_BLOCKS - 1), ["commit-order"]);
    assert.deepEqual(lagging(OPEN_BLOCK + PHASE_BLOCKS), []);
    life.tell(committed(0, hub), committed(1, near));
    assert.deepEqual(lagging(lastReveal - 1), ["reveal-order"]);
    assert.deepEqual(lagging(lastReveal + 1), []);
    assert.deepEqual(lagging(lastReveal + 2), ["clear-auction"]);
  });

  it("an order that was prepared is never replaced: another salt would lose the bond", () => {
    const second = { ...order("bid"), salt: `0x${"09".repeat(32)}` } as const;
    const life = buyer().tell(
      { type: "OrderPrepared", auctionId: auction, order: order("bid") },
      { type: "OrderPrepared", auctionId: auction, order: second },
      { type: "OrderDeclined", auctionId: auction, reason: "late" },
    );
    assert.deepEqual(life.mesh.auctions[0]?.order, order("bid"));
  });

  it("the end of an event is dated by the first that said so", () => {
    const life = buyer().tell(
      { type: "EventResolved", mesh: key, reason: "first", atSeconds: 990 },
      { type: "EventResolved", mesh: key, reason: "second", atSeconds: 995 },
    );
    assert.deepEqual(life.mesh.resolved, { reason: "first", atSeconds: 990 });
  });

  it("two actions on different objects never share a key, and the same action keeps its own", () => {
    const life = traded(buyer()).at({ nowSeconds: START + 13 });
    const keys = life.actions.map((action) => keyOfAction(life.mesh, action));
    assert.equal(new Set(keys).size, keys.length);
    assert.deepEqual(
      life.actions.map((action) => keyOfAction(life.mesh, action)),
      keys,
    );
  });
});
