import assert from "node:assert/strict";
import fc from "fast-check";
import type { Message } from "../../agent/coordinator/messages.ts";
import { emptyWorld, fold, reduce } from "../../agent/coordinator/reduce.ts";
import type { AuctionId, MeshId, RegionId } from "../../agent/model/ids.ts";

const opened = (id: number, mesh: number) =>
  ({
    type: "AuctionOpened",
    eventId: null,
    terms: { id: id as AuctionId, mesh: mesh as MeshId },
  }) as unknown as Message;
const committed = (id: number, index: number): Message => ({
  type: "OrderCommitted",
  auctionId: id as AuctionId,
  index,
  regionId: (index + 1) as RegionId,
  side: "ask",
  bond: 1n,
  score: 500,
});
const declined = (id: number): Message => ({ type: "OrderDeclined", auctionId: id as AuctionId, reason: "too little" });
const cancelled = (id: number): Message => ({ type: "AuctionCancelled", auctionId: id as AuctionId });

describe("coordinator/reduce", () => {
  const number = fc.integer({ min: 1, max: 4 });
  const messages = fc.array(
    fc.oneof(
      fc.tuple(number, number).map(([id, mesh]) => opened(id, mesh)),
      fc.tuple(number, fc.nat(3)).map(([id, index]) => committed(id, index)),
      number.map(declined),
      number.map(cancelled),
    ),
    { maxLength: 30 },
  );

  it("many messages at once give what they give one by one, and leave the world from before as it was", () => {
    fc.assert(
      fc.property(messages, messages, (before, after) => {
        const world = fold(emptyWorld, before);
        const copy = structuredClone(world);
        assert.deepEqual(fold(world, after), after.reduce(reduce, world));
        assert.deepEqual(world, copy);
        assert.equal(emptyWorld.meshes.size, 0);
      }),
    );
  });

  it("an auction's further ones belong to the mesh of the first", () => {
    const world = fold(emptyWorld, [opened(7, 7), opened(9, 7), committed(9, 0)]);
    const [mesh] = [...world.meshes.values()];
    assert.equal(world.meshes.size, 1);
    assert.deepEqual(
      mesh?.auctions.map(({ terms, orders }) => [terms.id, orders.length]),
      [
        [7, 0],
        [9, 1],
      ],
    );
  });
});
