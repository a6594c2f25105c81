import assert from "node:assert/strict";
import { explainScore } from "../../agent/reputation/explain.ts";
import { type LeaseRecorded, RebuiltReputation } from "../../agent/reputation/rebuild.ts";
import { NO_CREDIT, ONE, scoreAt } from "../../agent/reputation/rule.ts";

const FULL_BOND = 10n;
const DAY = 20_000;
const settled = (n: number, buyer: number, delivered: bigint, failed = 0n, day = DAY): LeaseRecorded => ({
  ...{ seller: 7, buyer, leaseId: `0x${n}`, delivered, failed, buyerBond: FULL_BOND, endDay: day, day },
  ...{ sellerState: NO_CREDIT, pairState: NO_CREDIT },
});
const scoreOf = (events: readonly LeaseRecorded[]) => {
  const rebuilt = new RebuiltReputation(FULL_BOND);
  for (const event of events) rebuilt.apply(event);
  return scoreAt(rebuilt.sellers.get(7)?.current ?? NO_CREDIT, DAY);
};

describe("reputation/explain", () => {
  const events = [settled(1, 1, ONE), settled(2, 2, ONE / 2n, ONE / 2n), settled(3, 3, ONE)];

  it("the effect of a settlement is the score minus the score without it, newest first", () => {
    const { score, contributions } = explainScore(events, FULL_BOND, DAY);
    assert.equal(score, scoreOf(events));
    assert.deepEqual(
      contributions.map(({ leaseId, effect }) => [leaseId, effect]),
      [3, 2, 1].map((n) => [`0x${n}`, score - scoreOf(events.filter(({ leaseId }) => leaseId !== `0x${n}`))]),
    );
    assert.ok(contributions[1]!.effect < 0, "a lease that failed by half takes away");
  });

  it("a prospect is the score that the rule gives after that settlement", () => {
    const { prospects } = explainScore(events, FULL_BOND, DAY);
    assert.deepEqual(
      prospects.map(({ buyer }) => buyer),
      [1, 2, 3, null],
    );
    for (const { buyer, delivered, failed } of prospects) {
      assert.equal(delivered, scoreOf([...events, settled(4, buyer ?? 99, ONE)]));
      assert.equal(failed, scoreOf([...events, settled(4, buyer ?? 99, 0n, ONE)]));
      assert.ok(failed <= delivered);
    }
  });

  it("settlements older than eight half-lives are counted but not listed; without settlements the score is 0", () => {
    const old = [settled(0, 1, ONE, 0n, DAY - 113), ...events];
    const { contributions, others } = explainScore(old, FULL_BOND, DAY);
    assert.deepEqual([contributions.length, others], [3, 1]);
    const none = explainScore([], FULL_BOND, DAY);
    assert.deepEqual([none.score, none.contributions, none.prospects.length], [0, [], 1]);
  });
});
