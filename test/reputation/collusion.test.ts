import assert from "node:assert/strict";
import { collusionFigures } from "../../agent/reputation/collusion.ts";
import { pairKey } from "../../agent/reputation/rebuild.ts";
import type { Credit } from "../../agent/reputation/rule.ts";

const DAY = 20_000;
const credit = (delivered: number, day = DAY): Credit => ({ delivered: BigInt(delivered), failed: 0n, day });
const pairs = (...of: readonly (readonly [seller: number, buyer: number, delivered: number])[]) =>
  new Map(of.map(([seller, buyer, delivered]) => [pairKey(seller, buyer), credit(delivered)]));

describe("reputation/collusion", () => {
  it("credit is mutual if each of two regions holds credit from the other", () => {
    const found = collusionFigures(pairs([1, 2, 300], [2, 1, 10], [1, 3, 100]), DAY);
    assert.deepEqual([found.get(1)?.mutualPpm, found.get(2)?.mutualPpm], [750_000, 1_000_000]);
    assert.deepEqual(found.get(1)?.clique, [], "two are no clique");
  });

  it("finds a clique of regions that all trade with each other, and its share of each region's credit", () => {
    const ring = [1, 2, 3, 4, 5].flatMap((seller) =>
      [1, 2, 3, 4, 5].filter((buyer) => buyer !== seller).map((buyer) => [seller, buyer, 100] as const),
    );
    const found = collusionFigures(pairs(...ring, [1, 9, 400], [9, 1, 1], [8, 9, 50]), DAY);
    assert.deepEqual(found.get(3), {
      credit: 400n,
      mutualPpm: 1_000_000,
      clique: [1, 2, 3, 4, 5],
      cliquePpm: 1_000_000,
    });
    assert.deepEqual(found.get(8), { credit: 50n, mutualPpm: 0, clique: [], cliquePpm: 0 });
  });

  it("credit that has decayed to 0 does not count", () => {
    const faded = new Map([
      [pairKey(1, 2), credit(1_000_000_000)],
      [pairKey(2, 1), credit(1, DAY - 14)],
    ]);
    assert.equal(collusionFigures(faded, DAY).get(1)?.mutualPpm, 0);
  });
});
