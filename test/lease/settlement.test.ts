import { expect } from "chai";
import fc from "fast-check";
import { isContested, type SettlementFacts, type SettlementTerms, settleLease } from "../../agent/lease/settlement.ts";

const terms: SettlementTerms = {
  lots: 1n,
  lotMbps: 100n,
  slots: 60n,
  buyerPrice: 1_500n,
  sellerPrice: 1_400n,
  price: 1_600n,
  bondShare: 20_000n,
  creditFee: 1_000n,
};
const perfect: SettlementFacts = { end: 3_600n, covered: 3_600n, available: 3_600n, claims: [], silent: "nobody" };

const facts = fc
  .record({
    covered: fc.integer({ min: 0, max: 360 }),
    missed: fc.nat(3_600),
    claims: fc.array(fc.nat(3_600), { maxLength: 2 }),
    silent: fc.constantFrom("nobody" as const, "seller" as const, "buyer" as const),
  })
  .map(({ covered, missed, claims, silent }): SettlementFacts => {
    const seconds = BigInt(covered * 10);
    return {
      end: 3_600n,
      covered: seconds,
      available: seconds - (BigInt(missed) % (seconds + 1n)),
      claims: claims.map(BigInt),
      silent,
    };
  });

describe("lease/settlement", () => {
  it("a perfect lease pays the whole price, slashes nothing and gives a whole reference lease of credit", () => {
    const s = settleLease(terms, perfect);
    expect([s.buyerPays, s.sellerGets, s.slash, s.failed, s.voided]).to.deep.equal([90_000n, 84_000n, 0n, 0n, 0n]);
    expect([s.delivered, s.notDelivered, s.fee]).to.deep.equal([1_000_000_000n, 0n, 1_000n]);
  });

  it("INV-1: a seller never gets more than buyer and budget pay; nobody loses more than it put up", () => {
    fc.assert(
      fc.property(facts, (f) => {
        const s = settleLease(terms, f);
        expect(s.sellerGets <= s.buyerPays + s.budgetPays).to.equal(true);
        expect(s.buyerPays <= 90_000n && s.slash <= terms.bondShare).to.equal(true);
        expect(s.upper + s.failed + s.voided).to.equal(f.end);
      }),
    );
  });

  it("no claim earns its author pay: a seller's higher claim and a buyer's lower one move only what goes to the pool", () => {
    fc.assert(
      fc.property(facts, fc.nat(3_600), fc.nat(3_600), (f, one, other) => {
        const [lower, higher] = [BigInt(Math.min(one, other)), BigInt(Math.max(one, other))];
        const agreed = (claim: bigint) => settleLease(terms, { ...f, claims: [claim, claim], silent: "nobody" });
        const disputed = settleLease(terms, { ...f, claims: [lower, higher], silent: "nobody" });
        expect(disputed.sellerGets).to.equal(agreed(lower).sellerGets);
        expect(disputed.buyerPays).to.equal(agreed(higher).buyerPays);
      }),
    );
  });

  it("a break costs both the same; who is silent pays for both", () => {
    const broken = { ...perfect, covered: 1_800n, available: 1_800n };
    const whole = settleLease(terms, broken);
    expect(whole.slash).to.equal(whole.buyerPays - 45_000n);
    const silent = settleLease(terms, { ...broken, silent: "seller" });
    expect([silent.slash, silent.buyerPays]).to.deep.equal([2n * whole.slash, 45_000n]);
  });

  it("more than a twentieth void or disputed blocks the pair, a twentieth does not", () => {
    expect(isContested(settleLease(terms, { ...perfect, covered: 3_420n, available: 3_420n }), 60n)).to.equal(false);
    expect(isContested(settleLease(terms, { ...perfect, covered: 3_410n, available: 3_410n }), 60n)).to.equal(true);
  });
});
