import assert from "node:assert/strict";
import pino from "pino";
import type { Hex } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import type { AuctionTerms, GrantedLease } from "../../agent/auction/facts.ts";
import { leaseIdOf } from "../../agent/auction/leases.ts";
import { answersOf } from "../../agent/coordinator/answers.ts";
import { cosignTeardown } from "../../agent/coordinator/handlers/dissolve.ts";
import { type LinkOffer, offerLink } from "../../agent/coordinator/handlers/link.ts";
import { wantedLinks } from "../../agent/coordinator/links.ts";
import { emptyMesh, type Mesh } from "../../agent/coordinator/mesh.ts";
import type { LocalMessage } from "../../agent/coordinator/messages.ts";
import { emptyWorld, reduce, type World } from "../../agent/coordinator/reduce.ts";
import type { Site } from "../../agent/coordinator/site.ts";
import { teardownTypedData } from "../../agent/lease/teardown.ts";
import { LinkKeys } from "../../agent/meshd/eni/keys.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { auctionId, type LeaseId, type LinkId, meshId, type RegionId, regionId } from "../../agent/model/ids.ts";

const START = 1000;
const MESH = meshId.parse(7);
const AUCTION: Hex = `0x${"22".repeat(20)}`;
const CHAIN = 7357;
const [buyer, seller] = [1, 2].map((id) => regionId.parse(id)) as [RegionId, RegionId];
const lease: GrantedLease = {
  id: leaseIdOf(auctionId.parse(7), 0) as LeaseId,
  index: 0,
  seller,
  buyer,
  lots: 1,
  mbps: 10,
  startSeconds: START,
  endSeconds: START + 600,
};
const link = lease.id as string as LinkId;

function meshAtStart(): Mesh {
  const terms = { id: auctionId.parse(7), mesh: MESH, opener: buyer, fabric: "ix", latencyBoundMicros: 50_000 };
  const outcome = { cancelled: false, lotsTraded: 1, price: 1, atSeconds: START - 10 } as const;
  const auction = { terms: terms as AuctionTerms, orders: [], order: null, outcome, leases: [lease], grant: null };
  return { ...emptyMesh("mesh-7"), id: MESH, auctions: [auction] };
}

/** One region's end: the product's handlers and link keys, its own agent key; what is sent to the other may be changed. */
class End {
  readonly self: RegionId;
  readonly key = privateKeyToAccount(generatePrivateKey());
  readonly messages: LocalMessage[] = [];
  readonly asked: string[] = [];
  readonly #keys = new Map<number, LinkKeys>();
  #world: World;
  other!: End;
  onAsk = (_kind: string, body: unknown) => body;
  onReply = async (_kind: string, reply: unknown) => reply;

  constructor(self: RegionId, mesh = meshAtStart()) {
    this.self = self;
    this.#world = { ...emptyWorld, meshes: new Map([[mesh.key, mesh]]), keys: new Map([[MESH, mesh.key]]) };
  }

  get mesh(): Mesh {
    return this.#world.meshes.get("mesh-7")!;
  }

  get site(): Site {
    return {
      self: this.self,
      key: this.key,
      config: { underlays: [{ name: "ix", fabric: "ix", endpoint: `192.0.2.${this.self}` }] },
      deployment: { chainId: CHAIN, auction: AUCTION },
      clock: { nowSeconds: () => START + 1 },
      log: pino({ level: "silent" }),
      regions: () => new Map([this, this.other].map(({ self, key }) => [self, { id: self, agentKey: key.address }])),
      world: () => this.#world,
      dispatch: (message: LocalMessage) => {
        this.messages.push(message);
        this.#world = reduce(this.#world, message);
      },
      control: {
        ask: async (_: unknown, kind: string, body: unknown) => {
          const sent = JSON.parse(JSON.stringify(this.onAsk(kind, body)));
          return this.onReply(kind, await answersOf(this.other.site)[kind]!(this.self, link, sent));
        },
      },
      meshd: { ask: async (type: string, body: Parameters<End["meshd"]>[1]) => this.meshd(type, body) },
    } as unknown as Site;
  }

  meshd(type: string, body: { attempt: number; peerPublicKey: string; kem: Parameters<LinkKeys["complete"]>[1] }) {
    this.asked.push(type);
    const keys = this.#keys.get(body.attempt) ?? new LinkKeys(link, body.attempt);
    this.#keys.set(body.attempt, keys);
    if (type === "completeLink") return keys.complete(body.peerPublicKey, body.kem);
    const { publicKey, encapsulationKey } = keys;
    return { publicKey, encapsulationKey, listenPort: 51820, mtu: 1400 + this.self };
  }

  presharedKey(attempt: number): string | undefined {
    return this.#keys.get(attempt)?.completed?.presharedKey;
  }
}

function twoEnds(mesh?: Mesh): readonly [End, End] {
  const ends = [new End(buyer, mesh), new End(seller, mesh)] as const;
  [ends[0].other, ends[1].other] = [ends[1], ends[0]];
  return ends;
}

const failsWith = (code: string) => (error: unknown) => error instanceof EphemeshError && error.code === code;

describe("coordinator/handshake of a link", () => {
  let at: End;
  let peer: End;
  beforeEach(() => {
    [at, peer] = twoEnds();
  });

  const offer = (attempt = 0) =>
    offerLink(at.site, at.mesh, { kind: "offer-link", link: wantedLinks(at.mesh, buyer, START + 1)[0]!, attempt });
  const changed = (change: Partial<LinkOffer>) => {
    at.onAsk = (_, body) => ({ ...(body as LinkOffer), ...change });
  };
  const refused = async (code: string) => {
    await assert.rejects(offer(), failsWith(code));
    assert.deepEqual([at.messages, peer.messages], [[], []], "neither end agreed");
    assert.ok(!peer.asked.includes("completeLink") && !at.asked.includes("completeLink"));
  };

  it("both ends agree with one transcript, the smaller MTU and the same preshared key", async () => {
    await offer();
    const [here, there] = [at.mesh.links.get(link), peer.mesh.links.get(link)];
    assert.equal(here?.transcript, there?.transcript);
    assert.deepEqual([here?.mtu, there?.mtu], [1401, 1401]);
    assert.ok(at.presharedKey(0));
    assert.equal(at.presharedKey(0), peer.presharedKey(0));
  });

  it("HANDSHAKE_TRANSCRIPT: an answer to another offer than ours is not agreed to", async () => {
    changed({ mtu: 1280 });
    await assert.rejects(offer(), failsWith("HANDSHAKE_TRANSCRIPT"));
    assert.deepEqual(at.messages, []);
    assert.ok(!at.asked.includes("completeLink"));
  });

  for (const change of [
    { publicKey: `${"A".repeat(43)}=` },
    { endpoint: { address: "198.51.100.1", port: 1 } },
    { mtu: 1300 },
  ])
    it(`HANDSHAKE_TRANSCRIPT: an answer whose ${Object.keys(change)} is not what the peer hashed is not agreed to`, async () => {
      at.onReply = async (_, reply) => ({ ...(reply as object), ...change });
      await assert.rejects(offer(), failsWith("HANDSHAKE_TRANSCRIPT"));
      assert.deepEqual(at.messages, []);
    });

  it("LINK_PROFILE: another security profile", async () => {
    changed({ profile: "wireguard" });
    await refused("LINK_PROFILE");
  });

  it("LINK_BOUNDS: another latency bound than the auction's, either way", async () => {
    for (const latencyBoundMicros of [49_999, 50_001]) {
      changed({ latencyBoundMicros });
      await refused("LINK_BOUNDS");
    }
  });

  it("LINK_UNKNOWN: another link, another mesh, or an offer by the end that does not offer", async () => {
    changed({ linkId: `0x${"99".repeat(32)}` as LinkId });
    await refused("LINK_UNKNOWN");
    changed({ meshId: meshId.parse(8) });
    await refused("LINK_UNKNOWN");
    const [wanted] = wantedLinks(peer.mesh, seller, START + 1);
    const backwards = { kind: "offer-link", link: wanted!, attempt: 0 } as const;
    await assert.rejects(offerLink(peer.site, peer.mesh, backwards), failsWith("LINK_UNKNOWN"));
  });

  it("LINK_ATTEMPT_OLD: an earlier attempt than was agreed on; the same one again gets the same answer", async () => {
    await offer(1);
    await assert.rejects(offer(0), failsWith("LINK_ATTEMPT_OLD"));
    await offer(1);
    assert.equal(peer.messages.length, 1);
  });

  it("a withdrawn link is agreed on again at both ends", async () => {
    await offer(0);
    for (const end of [at, peer]) end.site.dispatch({ type: "LinkWithdrawn", meshId: MESH, linkId: link });
    await offer(1);
    for (const end of [at, peer]) {
      assert.equal(end.mesh.links.get(link)?.attempt, 1);
      assert.ok(!end.mesh.withdrawn.has(link));
    }
  });

  it("one that was withdrawn only at the accepting end is agreed on again, even by the same keys", async () => {
    at.onReply = () => Promise.reject(new Error("the answer is lost"));
    await assert.rejects(offer(0));
    peer.site.dispatch({ type: "LinkWithdrawn", meshId: MESH, linkId: link });
    at.onReply = async (_, reply) => reply;
    await offer(0);
    assert.ok(!peer.mesh.withdrawn.has(link));
  });

  it("a withdrawn link is offered seldom while the peer does not answer", async () => {
    await offer(0);
    at.site.dispatch({ type: "LinkWithdrawn", meshId: MESH, linkId: link });
    at.onReply = () => Promise.reject(new EphemeshError("PEER_UNREACHABLE", "away", "later", { retryable: true }));
    await assert.rejects(offer(1), (error: EphemeshError) => error.retryAfterSeconds === 30);
  });
});

describe("coordinator/teardown record", () => {
  let at: End;
  let peer: End;
  beforeEach(async () => {
    const mesh = meshAtStart();
    const agreed = { linkId: link, attempt: 0, underlay: "ix", mtu: 1400, transcript: `0x${"00".repeat(32)}` } as const;
    const dissolved = (receivedBytes: number, sentBytes: number) => ({
      atSeconds: START,
      links: [{ linkId: link, receivedBytes, sentBytes, peerSignature: null }],
      leftBehind: 0,
    });
    const peerEndpoint = { address: "192.0.2.9", port: 51820 };
    [at, peer] = twoEnds(mesh);
    for (const [end, other] of [
      [at, seller],
      [peer, buyer],
    ] as const) {
      end.site.dispatch({ type: "LinkAgreed", meshId: MESH, link: { ...agreed, peer: other, peerEndpoint } });
      const counted = end === at ? dissolved(1000, 2000) : dissolved(2001, 999);
      end.site.dispatch({ type: "MeshDissolved", meshId: MESH, record: counted });
    }
  });

  const cosign = () => cosignTeardown(at.site, at.mesh, { kind: "cosign-teardown", linkId: link, peer: seller });
  const signatureHere = () => at.mesh.dissolved?.links[0]?.peerSignature;

  it("is kept with the signature of the other end over both ends' counters", async () => {
    await cosign();
    assert.match(signatureHere() ?? "", /^0x[0-9a-f]{130}$/);
  });

  for (const [what, forge] of [
    [
      "by another key",
      (data: Parameters<End["key"]["signTypedData"]>[0]) =>
        privateKeyToAccount(generatePrivateKey()).signTypedData(data),
    ],
    ["by our own key", (data: Parameters<End["key"]["signTypedData"]>[0]) => at.key.signTypedData(data)],
    ["that is no signature at all", async () => `0x${"00".repeat(65)}` as Hex],
  ] as const)
    it(`TEARDOWN_SIGNATURE: one ${what} is refused, and nothing is kept`, async () => {
      at.onReply = async (_, reply) => {
        const { side } = reply as { side: { receivedBytes: number; sentBytes: number } };
        const ours = { region: buyer, receivedBytes: 1000, sentBytes: 2000 };
        const data = teardownTypedData(CHAIN, AUCTION, link, ours, { region: seller, ...side });
        return { side, signature: await forge(data) };
      };
      await assert.rejects(cosign(), failsWith("TEARDOWN_SIGNATURE"));
      assert.equal(signatureHere(), null);
    });

  for (const [what, change] of [
    ["the peer's counters", (reply: { side: object }) => ({ ...reply, side: { receivedBytes: 2001, sentBytes: 998 } })],
    ["ours", null],
  ] as const)
    it(`TEARDOWN_SIGNATURE: the peer's signature over other counters than are told is refused: ${what}`, async () => {
      if (change) at.onReply = async (_, reply) => change(reply as { side: object });
      else at.onAsk = (_, body) => ({ ...(body as object), side: { receivedBytes: 1001, sentBytes: 2000 } });
      await assert.rejects(cosign(), failsWith("TEARDOWN_SIGNATURE"));
      assert.equal(signatureHere(), null);
    });

  it("TEARDOWN_NOT_YET: while the link is in place at the other end", async () => {
    [at, peer] = twoEnds();
    await assert.rejects(cosign(), failsWith("TEARDOWN_NOT_YET"));
  });
});
