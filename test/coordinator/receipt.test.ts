import assert from "node:assert/strict";
import pino from "pino";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { AuctionTerms, GrantedLease } from "../../agent/auction/facts.ts";
import { leaseIdOf } from "../../agent/auction/leases.ts";
import { acceptCosigned, answerReceipt, exchangeReceipt } from "../../agent/coordinator/handlers/receipt.ts";
import type { Message } from "../../agent/coordinator/messages.ts";
import { emptyWorld, reduce, type World } from "../../agent/coordinator/reduce.ts";
import type { Site } from "../../agent/coordinator/site.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { auctionId, type LeaseId, meshId, type RegionId, regionId } from "../../agent/model/ids.ts";
import { toJson } from "../../agent/model/json.ts";

const [buyer, seller] = [1, 2].map((id) => regionId.parse(id)) as [RegionId, RegionId];
const auction = auctionId.parse(7);
const START = 1_000;
const lease: GrantedLease = {
  id: leaseIdOf(auction, 0) as LeaseId,
  index: 0,
  seller,
  buyer,
  lots: 5,
  mbps: 100,
  startSeconds: START,
  endSeconds: START + 600,
};
const opening: readonly Message[] = [
  {
    type: "AuctionOpened",
    terms: { id: auction, mesh: meshId.parse(7), opener: buyer, slots: 10, lotMbps: 20 } as AuctionTerms,
    eventId: null,
  },
  { type: "AuctionCleared", auctionId: auction, lotsTraded: 5, scaledPrice: 1n, atSeconds: 990 },
  {
    type: "LeasesGranted",
    auctionId: auction,
    terms: {} as Extract<Message, { type: "LeasesGranted" }>["terms"],
    words: [],
    leases: [lease],
  },
];

/** One region's agent: its key, what it counted, what it journaled; the others' answers as a test gives them. */
class Agent {
  readonly self: RegionId;
  readonly messages: Message[] = [];
  world: World = opening.reduce<World>(reduce, emptyWorld);
  counts = { received: 1_000_000, sent: 5_000_000, epochsMet: 60 };
  now = START + 65;
  chainId = 7357;
  keyOf = (id: RegionId): Hex => `0x${String(id).repeat(64)}`;
  ask: (kind: string, body: unknown) => Promise<unknown> = () => Promise.reject(new Error("nobody answers"));

  constructor(self: RegionId) {
    this.self = self;
  }

  get site(): Site {
    const { received, sent, epochsMet } = this.counts;
    const epochs = Array.from({ length: epochsMet }, (_, epoch) => ({
      epoch,
      probes: 100,
      met: 100,
      worstRttMicros: 900,
      worstLossPpm: 0,
    }));
    const link = { receivedBytes: received, sentBytes: sent, receivedPackets: 10, sentPackets: 10, epochs };
    return {
      self: this.self,
      key: privateKeyToAccount(this.keyOf(this.self)),
      deployment: { chainId: this.chainId, escrow: `0x${"e5".repeat(20)}` },
      clock: { nowSeconds: () => this.now },
      log: pino({ level: "silent" }),
      control: { ask: (_: unknown, kind: string, body: unknown) => this.ask(kind, body) },
      counters: () => new Map([[lease.id, link]]),
      regions: () =>
        new Map(
          [buyer, seller].map((id) => [
            id,
            { id, agentKey: privateKeyToAccount(`0x${String(id).repeat(64)}`).address },
          ]),
        ),
      world: () => this.world,
      dispatch: (message: Message) => {
        this.messages.push(message);
        this.world = reduce(this.world, message);
      },
    } as unknown as Site;
  }

  get mesh() {
    return [...this.world.meshes.values()][0]!;
  }

  get signed() {
    return this.mesh.receipts.get(lease.id) ?? null;
  }
}

function pair(): { buys: Agent; sells: Agent } {
  const [buys, sells] = [new Agent(buyer), new Agent(seller)];
  sells.counts = { received: buys.counts.sent, sent: buys.counts.received, epochsMet: 60 };
  buys.ask = (kind, body) =>
    over(
      kind === "receipt" ? answerReceipt(sells.site, buyer, wire(body)) : acceptCosigned(sells.site, buyer, wire(body)),
    );
  return { buys, sells };
}
/** As it comes out of a body of JSON. */
const wire = (body: unknown): unknown => JSON.parse(toJson(body));
const over = async (answer: Promise<unknown>) => wire(await answer);
const exchange = ({ site, mesh }: Agent, epochs = 6, release = false) =>
  exchangeReceipt(site, mesh, { kind: "exchange-receipt", leaseId: lease.id, epochs, release });
const refuses = (act: Promise<unknown>, code: string) =>
  assert.rejects(act, (error) => error instanceof EphemeshError && error.code === code && error.remedy !== "");

describe("coordinator/handlers/receipt: two agents", () => {
  it("honest counts that differ: both hold the same receipt, signed by both, with the smaller figure", async () => {
    const { buys, sells } = pair();
    sells.counts = { received: 4_900_000, sent: 1_020_000, epochsMet: 5 };
    await exchange(buys);
    assert.ok(buys.signed);
    assert.deepEqual(sells.signed, buys.signed);
    const { available, bytesToBuyer, bytesToSeller } = buys.signed.receipt;
    assert.deepEqual([available, bytesToBuyer, bytesToSeller], [50, 1_000_000n, 4_900_000n]);
  });

  it("the next receipt leads to the one before it, and heals a gap", async () => {
    const { buys, sells } = pair();
    await exchange(buys, 2);
    const answering = buys.ask;
    buys.ask = (kind, body) =>
      kind === "receipt-cosigned" ? Promise.reject(new Error("lost")) : answering(kind, body);
    await exchange(buys, 4);
    assert.equal(sells.signed?.receipt.epochs, 2);
    buys.ask = answering;
    await exchange(buys, 6);
    assert.deepEqual(sells.signed, buys.signed);
    assert.equal(buys.signed?.receipt.epochs, 6);
  });

  it("a silent counterparty: nothing is signed, and nothing is lost", async () => {
    const { buys } = pair();
    buys.ask = () => Promise.reject(new Error("no answer"));
    await assert.rejects(exchange(buys), /no answer/);
    assert.deepEqual(buys.messages, []);
  });

  it("counts beyond tolerance: RECEIPT_DISPUTED by the seller, which signs nothing", async () => {
    const { buys, sells } = pair();
    sells.counts = { ...sells.counts, sent: 50_000_000 };
    buys.counts = { ...buys.counts, received: 60_000_000 };
    await refuses(exchange(buys), "RECEIPT_DISPUTED");
    assert.deepEqual([buys.messages, sells.messages], [[], []]);
  });

  it("a seller that says other than it counted: RECEIPT_DISPUTED by the buyer", async () => {
    const { buys, sells } = pair();
    sells.counts = { ...sells.counts, received: 60_000_000 };
    buys.counts = { ...buys.counts, sent: 5_000_000, epochsMet: 3 };
    sells.counts = { ...sells.counts, epochsMet: 6 };
    await refuses(exchange(buys), "RECEIPT_DISPUTED");
    assert.equal(buys.signed, null);
  });

  it("a side that signed a receipt for some epochs answers with that one again, whatever it counts by then", async () => {
    const { buys, sells } = pair();
    const kept: unknown[] = [];
    const answering = buys.ask;
    buys.ask = async (kind, body) => {
      const answer = await answering(kind, body);
      kept.push(answer);
      if (kept.length === 1) throw new Error("lost");
      return answer;
    };
    await assert.rejects(exchange(buys), /lost/);
    sells.counts = { ...sells.counts, epochsMet: 5 };
    await exchange(buys);
    assert.deepEqual(kept[1], kept[0]);
  });

  it("two statements for the same epochs that both keys signed: RECEIPT_CONFLICT, and the first is kept", async () => {
    const [one, other] = [pair(), pair()];
    other.buys.counts = { ...other.buys.counts, epochsMet: 5 };
    await exchange(one.buys);
    await exchange(other.buys);
    const first = one.sells.signed;
    const second = other.buys.signed!;
    const body = { ...second, receipt: { ...second.receipt, ...amounts(second.receipt) } };
    await refuses(acceptCosigned(one.sells.site, buyer, wire(body)), "RECEIPT_CONFLICT");
    assert.deepEqual(one.sells.signed, first);
  });

  it("a wrong clock: RECEIPT_FUTURE, by whichever side it is ahead of", async () => {
    const { buys, sells } = pair();
    sells.now = START + 30;
    await refuses(exchange(buys), "RECEIPT_FUTURE");
    [sells.now, buys.now] = [START + 65, START + 30];
    await refuses(exchange(buys), "RECEIPT_FUTURE");
    assert.equal(buys.signed, null);
  });

  it("backwards: RECEIPT_BACKWARDS, and what was signed stays", async () => {
    const { buys, sells } = pair();
    await exchange(buys, 6);
    await refuses(exchange(buys, 5), "RECEIPT_BACKWARDS");
    await refuses(exchange(buys, 6), "RECEIPT_BACKWARDS");
    assert.equal(sells.signed?.receipt.epochs, 6);
  });

  it("counts above what the lease can carry: RECEIPT_IMPOSSIBLE, though both counted them", async () => {
    const { buys, sells } = pair();
    buys.counts = { ...buys.counts, received: 900_000_000 };
    sells.counts = { ...sells.counts, sent: 900_000_000 };
    await refuses(exchange(buys), "RECEIPT_IMPOSSIBLE");
    assert.deepEqual([buys.messages, sells.messages], [[], []]);
  });

  it("a signature by another key, or for another chain: RECEIPT_SIGNATURE", async () => {
    const { buys, sells } = pair();
    sells.keyOf = () => `0x${"7".repeat(64)}`;
    await refuses(exchange(buys), "RECEIPT_SIGNATURE");
    const elsewhere = pair();
    elsewhere.sells.chainId = 1;
    await refuses(exchange(elsewhere.buys), "RECEIPT_SIGNATURE");
    assert.deepEqual([buys.signed, elsewhere.buys.signed], [null, null]);
  });

  it("a lease that is not between the two: RECEIPT_UNKNOWN_LEASE", async () => {
    const { buys, sells } = pair();
    await exchange(buys, 2);
    const counts = {
      available: 0,
      receivedPackets: 0,
      receivedBytes: 0,
      sentPackets: 0,
      sentBytes: 0,
      worstRttMicros: 0,
    };
    const request = { epochs: 4, release: false, counts: { ...counts, worstLossPpm: 0 }, previous: null };
    const other = { ...request, leaseId: `0x${"0f".repeat(32)}` };
    await refuses(answerReceipt(sells.site, buyer, other), "RECEIPT_UNKNOWN_LEASE");
    await refuses(answerReceipt(sells.site, seller, { ...request, leaseId: lease.id }), "RECEIPT_UNKNOWN_LEASE");
  });
});

function amounts(receipt: object): object {
  return Object.fromEntries(
    Object.entries(receipt).flatMap(([name, value]) => (typeof value === "bigint" ? [[name, value.toString()]] : [])),
  );
}
