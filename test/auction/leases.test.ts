import { expect } from "chai";
import fc from "fast-check";
import { concat, type Hex, keccak256 } from "viem";
import {
  bondShareDown,
  type GrantTerms,
  leaseLeaf,
  leaseProof,
  leaseRoot,
  packLease,
  unpackLease,
} from "../../agent/auction/leases.ts";

const terms: GrantTerms = { startSeconds: 1_795_000_000, slots: 60, lotMbps: 100, price: 1_500, week: 2_969 };

describe("auction/leases", () => {
  it("unpacking a word gives what was packed", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 252n - 1n }), (word) => {
        expect(packLease(unpackLease(7, 3, word, terms))).to.equal(word);
      }),
    );
  });

  it("every lease is proved under the root, and no other word, index or terms is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 0n, max: 2n ** 252n - 1n }), { minLength: 1, maxLength: 20 }),
        fc.nat(),
        (words, pick) => {
          const index = pick % words.length;
          const root = leaseRoot(words, terms);
          const proof = leaseProof(words, terms, index);
          expect(climb(leaseLeaf(index, terms, words[index]!), proof)).to.equal(root);
          expect(climb(leaseLeaf(index, terms, words[index]! ^ 1n), proof)).to.not.equal(root);
          expect(climb(leaseLeaf(index + 1, terms, words[index]!), proof)).to.not.equal(root);
          expect(climb(leaseLeaf(index, { ...terms, slots: 61 }, words[index]!), proof)).to.not.equal(root);
        },
      ),
    );
  });

  it("bond shares of consecutive leases add up to the share of all their lots", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 9 }),
        fc.nat(500),
        (bond, parts, unsold) => {
          const sold = parts.reduce((a, b) => a + b, 0);
          let before = 0;
          let sum = 0n;
          for (const lots of parts) {
            sum += bondShareDown(bond, sold + unsold, before, lots);
            before += lots;
          }
          expect(sum).to.equal((bond * BigInt(sold)) / BigInt(sold + unsold));
        },
      ),
    );
  });
});

function climb(leaf: Hex, proof: readonly Hex[]): Hex {
  return proof.reduce((at, sibling) => keccak256(concat(at < sibling ? [at, sibling] : [sibling, at])), leaf);
}
