import { expect } from "chai";
import fc from "fast-check";
import { type LeaseRecorded, RebuiltReputation, rebuildReputation } from "../../agent/reputation/rebuild.ts";
import {
  type Credit,
  closingScore,
  DECAY_FACTOR,
  decay,
  NEWCOMER,
  NO_CREDIT,
  ONE,
  PAIR_CAP,
  RAMP,
  SCORE_SCALE,
  type SellerRecord,
  scoreAt,
  settleCredit,
  settleSeller,
} from "../../agent/reputation/rule.ts";

const FULL_BOND = 1_000_000n;
const START = 20_000;

interface Lease {
  readonly buyer: number;
  readonly delivered: bigint;
  readonly failed: bigint;
  readonly buyerBond: bigint;
  readonly day: number;
}

const history = fc
  .array(
    fc.record({
      buyer: fc.integer({ min: 0, max: 5 }),
      delivered: fc.bigInt({ min: 0n, max: 3n * ONE }),
      failed: fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: ONE })),
      buyerBond: fc.oneof(fc.constant(FULL_BOND), fc.bigInt({ min: 0n, max: 2n * FULL_BOND })),
      wait: fc.integer({ min: 0, max: 20 }),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((leases) => {
    let day = START;
    return leases.map(({ wait, ...lease }): Lease => {
      day += wait;
      return { ...lease, day };
    });
  });

class World {
  seller: Credit = NO_CREDIT;
  readonly pairs = new Map<number, Credit>();

  settle(lease: Lease): this {
    const after = settleCredit(this.seller, this.pairs.get(lease.buyer) ?? NO_CREDIT, lease, FULL_BOND);
    this.seller = after.seller;
    this.pairs.set(lease.buyer, after.pair);
    return this;
  }

  static after(leases: readonly Lease[]): World {
    return leases.reduce((world, lease) => world.settle(lease), new World());
  }
}

describe("reputation/rule", () => {
  it("4.1 a perfect lease never lowers the score", () =>
    fc.assert(
      fc.property(
        history,
        fc.integer({ min: 0, max: 5 }),
        fc.bigInt({ min: 0n, max: 2n * ONE }),
        (leases, buyer, delivered) => {
          const { day } = leases.at(-1)!;
          const before = scoreAt(World.after(leases).seller, day);
          const after = scoreAt(
            World.after(leases).settle({ buyer, delivered, failed: 0n, buyerBond: FULL_BOND, day }).seller,
            day,
          );
          expect(after).to.be.at.least(before - 1);
        },
      ),
    ));

  it("4.1 a failed lease never raises the score", () =>
    fc.assert(
      fc.property(
        history,
        fc.integer({ min: 0, max: 5 }),
        fc.bigInt({ min: 0n, max: 2n * ONE }),
        (leases, buyer, failed) => {
          const { day } = leases.at(-1)!;
          const before = scoreAt(World.after(leases).seller, day);
          const after = scoreAt(
            World.after(leases).settle({ buyer, delivered: 0n, failed, buyerBond: FULL_BOND, day }).seller,
            day,
          );
          expect(after).to.be.at.most(before + 1);
        },
      ),
    ));

  it("4.1 delivering more of a lease never lowers the score", () =>
    fc.assert(
      fc.property(history, fc.bigInt({ min: 0n, max: ONE }), fc.bigInt({ min: 0n, max: ONE }), (leases, one, other) => {
        const { day } = leases.at(-1)!;
        const [less, more] = one < other ? [one, other] : [other, one];
        const with_ = (delivered: bigint) =>
          scoreAt(
            World.after(leases).settle({ buyer: 0, delivered, failed: ONE - delivered, buyerBond: FULL_BOND, day })
              .seller,
            day,
          );
        expect(with_(more)).to.be.at.least(with_(less) - 1);
      }),
    ));

  it("4.1 waiting never raises the score, as long as there is something to measure", () =>
    fc.assert(
      fc.property(history, fc.integer({ min: 0, max: 200 }), (leases, wait) => {
        const { seller } = World.after(leases);
        const { day } = leases.at(-1)!;
        expect(scoreAt(seller, day + wait)).to.be.at.most(scoreAt(seller, day) + 1);
      }),
    ));

  it("4.1 0 ≤ score ≤ 10^6", () =>
    fc.assert(
      fc.property(history, (leases) => {
        const score = scoreAt(World.after(leases).seller, leases.at(-1)!.day);
        expect(score).to.be.within(0, Number(SCORE_SCALE));
      }),
    ));

  it("4.2 splitting a lease of at most Kw into ten moves the score by at most 5 % of the scale", () =>
    fc.assert(
      fc.property(
        history,
        fc.bigInt({ min: 10n, max: PAIR_CAP }),
        fc.integer({ min: 0, max: 10 }),
        (leases, promised, tenths) => {
          const { day } = leases.at(-1)!;
          const part = promised / 10n;
          const delivered = (part * BigInt(tenths)) / 10n;
          const lease = (times: bigint): Lease => ({
            buyer: 0,
            delivered: delivered * times,
            failed: (part - delivered) * times,
            buyerBond: FULL_BOND,
            day,
          });
          const whole = scoreAt(World.after(leases).settle(lease(10n)).seller, day);
          const split = World.after(leases);
          for (let i = 0; i < 10; i++) split.settle(lease(1n));
          expect(Math.abs(scoreAt(split.seller, day) - whole)).to.be.at.most(Number(SCORE_SCALE) / 20);
        },
      ),
    ));

  it("4.3 identities that pay only one another reach what their bonds allow, however many they are", () =>
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 0n, max: FULL_BOND / 4n }), { minLength: 2, maxLength: 20 }),
        fc.integer({ min: 1, max: 40 }),
        (bonds, rounds) => {
          const world = new World();
          for (let i = 0; i < rounds; i++)
            for (const [buyer, buyerBond] of bonds.entries())
              world.settle({ buyer, delivered: 5n * ONE, failed: 0n, buyerBond, day: START + i });
          const total = bonds.reduce((sum, bond) => sum + (bond < FULL_BOND ? bond : FULL_BOND), 0n);
          const most = (SCORE_SCALE * PAIR_CAP * total) / (FULL_BOND * RAMP);
          expect(scoreAt(world.seller, START + rounds - 1)).to.be.at.most(Number(most) + 1);
        },
      ),
    ));

  it("4.2 a lease of more than Kw is capped once whole and ten times in parts: splitting it gains no more than its cap", () =>
    fc.assert(
      fc.property(history, fc.bigInt({ min: PAIR_CAP, max: 10n * PAIR_CAP }), (leases, promised) => {
        const { day } = leases.at(-1)!;
        const split = World.after(leases);
        for (let i = 0; i < 10; i++)
          split.settle({ buyer: 0, delivered: promised / 10n, failed: 0n, buyerBond: FULL_BOND, day });
        const pair = split.pairs.get(0)!;
        expect(pair.delivered + pair.failed <= PAIR_CAP + 1n).to.equal(true);
      }),
    ));

  it("4.3 times 16/15 for bonds that are moved on after the exit delay of 56 days", () =>
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 1n, max: FULL_BOND / 4n }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 8 }),
        (bonds, moves) => {
          const world = new World();
          for (let move = 0; move < moves; move++)
            for (const [i, buyerBond] of bonds.entries()) {
              const buyer = 100 * move + i;
              world.settle({ buyer, delivered: 5n * ONE, failed: 0n, buyerBond, day: START + 56 * move });
            }
          const total = bonds.reduce((sum, bond) => sum + bond, 0n);
          const most = (SCORE_SCALE * PAIR_CAP * total * 16n) / (FULL_BOND * RAMP * 15n);
          expect(scoreAt(world.seller, START + 56 * (moves - 1))).to.be.at.most(Number(most) + bonds.length);
        },
      ),
    ));

  it("4.4 leaving and coming back, as oneself or under another name: never a higher score", () =>
    fc.assert(
      fc.property(history, fc.integer({ min: 0, max: 400 }), (leases, away) => {
        const day = leases.at(-1)!.day;
        const before = scoreAt(World.after(leases).seller, day);
        expect(scoreAt(World.after(leases).seller, day + away)).to.be.at.most(before + 1);
        expect(scoreAt(NO_CREDIT, day + away)).to.equal(0);
      }),
    ));

  it("4.5 events alone suffice to rebuild the state, from any point on at which it was kept", () =>
    fc.assert(
      fc.property(history, fc.nat(), (leases, at) => {
        const world = new World();
        const events = leases.map((lease): LeaseRecorded => {
          world.settle(lease);
          const states = { sellerState: world.seller, pairState: world.pairs.get(lease.buyer)! };
          return { ...lease, ...states, seller: 99, leaseId: "0x", endDay: lease.day };
        });
        const half = new RebuiltReputation(FULL_BOND);
        const middle = at % events.length;
        for (const event of events.slice(0, middle)) expect(half.apply(event)).to.deep.equal([]);
        const rest = new RebuiltReputation(FULL_BOND, half);
        for (const event of events.slice(middle)) expect(rest.apply(event)).to.deep.equal([]);
        const whole = rebuildReputation(events, FULL_BOND);
        expect(whole.mismatches).to.deep.equal([]);
        expect(rest.sellers).to.deep.equal(whole.sellers);
        expect(rest.pairs).to.deep.equal(whole.pairs);
        expect(rest.sellers.get(99)!.current).to.deep.equal(world.seller);
      }),
    ));

  it("4.5 the same settlements in the same order always give the same state", () =>
    fc.assert(
      fc.property(history, (leases) => {
        expect(World.after(leases).seller).to.deep.equal(World.after(leases).seller);
      }),
    ));

  it("4.6 the seller's sum drifts from its pairs by less than a micro-unit per settlement", () =>
    fc.assert(
      fc.property(history, (leases) => {
        const world = World.after(leases);
        const { day } = leases.at(-1)!;
        const sum = [...world.pairs.values()].reduce(
          (total, pair) => total + decay(pair.delivered, day - pair.day),
          0n,
        );
        const drift = world.seller.delivered - sum;
        expect(Number(drift < 0n ? -drift : drift)).to.be.at.most(leases.length);
      }),
    ));

  it("the closing score is yesterday's, and nothing of today moves it", () =>
    fc.assert(
      fc.property(history, (leases) => {
        const pairs = new Map<number, Credit>();
        let record: SellerRecord = NEWCOMER;
        const byDay = new Map<number, SellerRecord>();
        for (const lease of leases) {
          const after = settleSeller(record, pairs.get(lease.buyer) ?? NO_CREDIT, lease, FULL_BOND);
          record = after.record;
          pairs.set(lease.buyer, after.pair);
          byDay.set(lease.day, record);
          // What an observer would say who saw only what was settled before today.
          const earlier = [...byDay].filter(([day]) => day < lease.day).at(-1)?.[1];
          const expected = earlier ? Math.floor(scoreAt(earlier.current, lease.day - 1) / 1000) : 0;
          expect(closingScore(record, lease.day)).to.equal(expected);
        }
      }),
    ));

  it("decay halves in 14 days, by exact constants between, and ends", () => {
    expect(decay(1_000n, 14)).to.equal(500n);
    expect(decay(2n ** 64n, 0)).to.equal(2n ** 64n);
    for (const [days, decayFactor] of DECAY_FACTOR.entries()) {
      // fade = ⌊2^64 · 2^(−days/14)⌋  ⇔  fade^14 ≤ 2^(64·14 − days) < (fade + 1)^14
      const exact = 2n ** (64n * 14n - BigInt(days));
      expect(decayFactor ** 14n <= exact && exact < (decayFactor + 1n) ** 14n, `day ${days}`).to.equal(true);
    }
    expect(decay(2n ** 96n, 14 * 64)).to.equal(0n);
  });

  it("one false claim and one break cost a good seller what the specification says", () => {
    const good = () =>
      World.after(
        [0, 1, 2, 3].map((buyer): Lease => ({ buyer, delivered: ONE, failed: 0n, buyerBond: FULL_BOND, day: START })),
      );
    const after = (delivered: bigint, failed: bigint) =>
      scoreAt(good().settle({ buyer: 0, delivered, failed, buyerBond: FULL_BOND, day: START }).seller, START);
    expect(after(0n, (ONE * 387n + 3_599n) / 3_600n)).to.equal(907_988);
  });
});
