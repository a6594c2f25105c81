import assert from "node:assert/strict";
import fc from "fast-check";
import { availableSeconds, type Counts, combine, countsOf, disagreement } from "../../agent/lease/metering.ts";
import { NO_RECEIPT, type Receipt } from "../../agent/lease/receipt.ts";
import { type LinkCounts, NOTHING_COUNTED, RunningCounts } from "../../agent/lease/running-counts.ts";

const lease = { leaseId: `0x${"01".repeat(32)}`, epochs: 6, release: false, previous: NO_RECEIPT } as const;
const counts = (of: Partial<Counts> = {}): Counts => ({
  available: 60,
  receivedPackets: 1_000,
  receivedBytes: 10_000_000,
  sentPackets: 2_000,
  sentBytes: 20_000_000,
  worstRttMicros: 5,
  worstLossPpm: 0,
  ...of,
});
/** The same traffic from the other end. */
const mirrored = ({ receivedPackets, receivedBytes, sentPackets, sentBytes, ...rest }: Counts): Counts => ({
  ...rest,
  ...{ receivedPackets: sentPackets, receivedBytes: sentBytes, sentPackets: receivedPackets, sentBytes: receivedBytes },
});
const same = (n: number): LinkCounts => ({ receivedPackets: n, receivedBytes: n, sentPackets: n, sentBytes: n });

describe("lease/metering", () => {
  it("of two honest counts that differ by less than an epoch, 5 % and 1 MB, a receipt is made that both sign", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(-10, 0, 10),
        fc.nat(1_000_000_000),
        fc.nat(1_000_000_000),
        fc.double({ min: 0.96, max: 1.04, noNaN: true }),
        (late, received, sent, differs) => {
          const buyer = counts({ receivedBytes: received, sentBytes: sent });
          const near = (n: number) => Math.round(n * differs);
          const seller = {
            ...mirrored(buyer),
            available: 50 + late,
            receivedBytes: near(sent),
            sentBytes: near(received),
          };
          const receipt = combine(lease, { ...buyer, available: 50 }, seller);
          assert.equal(disagreement(receipt, { ...buyer, available: 50 }, "buyer"), null);
          assert.equal(disagreement(receipt, seller, "seller"), null);
          assert.equal(receipt.available, Math.min(50, 50 + late));
        },
      ),
    ));

  it("the receipt has the smaller availability of both, and bytes as the receiver counted them", () => {
    const receipt = combine(lease, counts({ available: 50 }), counts({ available: 60, receivedBytes: 7 }));
    assert.deepEqual([receipt.available, receipt.bytesToBuyer, receipt.bytesToSeller], [50, 10_000_000n, 7n]);
  });

  it("the side that would lose refuses a count that differs by more, and names the figure", () => {
    const buyer = counts();
    const lies: readonly [Partial<Receipt>, RegExp][] = [
      [{ available: 40 }, /^40 available seconds; this region measured 60$/],
      [{ bytesToBuyer: 12_000_000n }, /^12000000 bytes received by this region, which counted 10000000$/],
      [{ bytesToSeller: 23_000_000n }, /^23000000 bytes sent by this region, which counted 20000000$/],
    ];
    for (const [lie, says] of lies) {
      const receipt = { ...combine(lease, buyer, mirrored(buyer)), ...lie };
      assert.match(disagreement(receipt, buyer, "buyer")!, says);
    }
  });

  it("an epoch is available if nine probes of ten met the bounds, and not at all without probes", () => {
    const epoch = (n: number, probes: number, met: number) => ({ epoch: n, probes, met });
    const samples = [epoch(0, 100, 90), epoch(1, 100, 89), epoch(2, 0, 0), epoch(4, 10, 10), epoch(9, 10, 10)];
    assert.equal(availableSeconds(samples, 0, 9), 20);
    assert.equal(availableSeconds(samples, 1, 10), 20);
  });

  it("each side reads its own counts from a co-signed receipt", () => {
    const receipt = combine(lease, counts(), mirrored(counts()));
    const { available: _, worstRttMicros: __, worstLossPpm: ___, ...buyer } = counts();
    assert.deepEqual(countsOf(receipt, "buyer"), buyer);
    assert.equal(countsOf(receipt, "seller").sentBytes, buyer.receivedBytes);
    assert.deepEqual(countsOf(null, "buyer"), NOTHING_COUNTED);
  });
});

describe("lease/running-counts", () => {
  it("totals never go back, and are what was counted, over any number of resets", () =>
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(1e9), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 }),
        (lives) => {
          const running = new RunningCounts();
          let counted = 0;
          let last = 0;
          for (const steps of lives) {
            let shown = 0;
            // Read once right after the interface came up, as meshd does when it makes one.
            for (const step of [0, ...steps]) {
              shown += step;
              counted += step;
              const { receivedBytes } = running.total("link", same(shown), NOTHING_COUNTED);
              assert.ok(receivedBytes >= last);
              last = receivedBytes;
            }
          }
          assert.equal(last, counted);
        },
      ),
    ));

  it("an interface that is gone shows 0, and takes nothing back", () => {
    const running = new RunningCounts();
    running.total("link", same(500), NOTHING_COUNTED);
    assert.deepEqual(running.total("link", same(0), NOTHING_COUNTED), same(500));
    assert.deepEqual(running.total("link", same(20), NOTHING_COUNTED), same(520));
  });

  it("after a crash of the agent it goes on from what was signed, and counts nothing twice", () => {
    assert.deepEqual(new RunningCounts().total("link", same(700), same(600)), same(700), "the interface stayed up");
    const anew = new RunningCounts();
    assert.deepEqual(anew.total("link", same(40), same(600)), same(600), "the interface was made anew");
    assert.deepEqual(anew.total("link", same(90), same(600)), same(650));
    assert.deepEqual(anew.total("link", same(95), same(650)), same(655), "whatever was signed meanwhile");
  });

  it("a counter that wraps counts as one that began anew: less than was carried, never more", () => {
    const running = new RunningCounts();
    running.total("link", same(2 ** 32 - 10), NOTHING_COUNTED);
    assert.deepEqual(running.total("link", same(15), NOTHING_COUNTED), same(2 ** 32 + 5));
  });
});
