import assert from "node:assert/strict";
import { chooseFabric } from "../../agent/auction/fabric-choice.ts";

describe("the fabric of an auction", () => {
  const on = (fabric: string, peers: number, spareMbps: number) => ({ fabric, peers, spareMbps });
  const choice = (...candidates: Parameters<typeof chooseFabric>[0]) => chooseFabric(candidates);

  it("is the one with the most peers in reach, wherever it is configured", () => {
    const chosen = choice(on("ix", 1, 900), on("metro", 3, 100), on("dark", 2, 500));
    assert.equal(chosen?.name, "metro");
    assert.match(chosen?.reason ?? "", /3 peers in reach on metro, the most \(2 on dark, 1 on ix\)/);
  });

  it("with as many peers, the one with more spare capacity; with as much, the one configured first", () => {
    const spare = choice(on("ix", 2, 100), on("metro", 2, 200));
    assert.equal(spare?.name, "metro");
    assert.match(spare?.reason ?? "", /more is spare on it \(200 Mbit\/s\)/);
    const first = choice(on("ix", 2, 100), on("metro", 2, 100));
    assert.equal(first?.name, "ix");
    assert.match(first?.reason ?? "", /configured first/);
  });

  it("a single fabric needs no comparison, and none is no choice", () => {
    assert.deepEqual(choice(on("ix", 1, 0)), {
      name: "ix",
      reason: "1 peer in reach on ix, the only fabric of this region",
    });
    assert.equal(choice(), null);
  });
});
