import assert from "node:assert/strict";
import { sharedPart } from "../../agent/api/shared-messages.ts";
import type { AuctionId } from "../../agent/model/ids.ts";

describe("api/shared-messages", () => {
  const order = {
    ...({ side: "ask", price: 437_912, lots: 8, boostBps: 100, bond: 2n ** 60n } as const),
    ...({ salt: "0x5a17", commitment: "0xc0" } as const),
    reasons: ["price 437912: the floor"],
  };

  it("of an own order only side and bond are shared: what its commitment shows on chain", () => {
    const shared = sharedPart({ type: "OrderPrepared", auctionId: 7 as AuctionId, order });
    assert.deepEqual(shared, {
      ...{ type: "OrderPrepared", auctionId: 7 },
      order: { side: "ask", bond: "1152921504606846976" },
    });
  });

  it("a field that is not listed stays inside, at any depth", () => {
    const event = {
      ...({ id: "e", kind: "surge", demandMbps: 1, durationSeconds: 60, topology: "auto", renews: false } as const),
      ...{ reason: "operator", requestId: null, atSeconds: 1.5, secret: "s" },
    };
    const message = { type: "EventTriggered", event, another: "s" } as const;
    const { secret: _, ...listed } = event;
    assert.deepEqual(sharedPart(message), { type: "EventTriggered", event: listed });
  });
});
