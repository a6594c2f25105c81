import assert from "node:assert/strict";
import { NO_RECEIPT, type Receipt } from "../../agent/lease/receipt.ts";
import { type MeteredLease, requireNext, requireSound, type SignedBefore } from "../../agent/lease/receipt-check.ts";
import { EphemeshError } from "../../agent/model/errors.ts";

const lease: MeteredLease = { id: `0x${"01".repeat(32)}`, mbps: 100, startSeconds: 1_000, endSeconds: 1_600 };
const receipt = (of: Partial<Receipt> = {}): Receipt => ({
  ...{ leaseId: lease.id, epochs: 6, available: 60, packetsToBuyer: 6n, bytesToBuyer: 600n, packetsToSeller: 3n },
  ...{ bytesToSeller: 300n, worstRttMicros: 1, worstLossPpm: 0, release: false, previous: NO_RECEIPT },
  ...of,
});
const before: SignedBefore = { receipt: receipt(), hash: `0x${"0b".repeat(32)}` };
const next = (of: Partial<Receipt> = {}): Receipt =>
  receipt({ epochs: 7, available: 70, previous: before.hash, ...of });

const refuses = (code: string, act: () => void, retryable = false) =>
  assert.throws(act, (error) => {
    assert.ok(error instanceof EphemeshError);
    assert.deepEqual([error.code, error.retryable, error.remedy !== ""], [code, retryable, true]);
    assert.match(error.message, /Nothing was signed/);
    return true;
  });

describe("lease/receipt-check: what no receipt may say", () => {
  it("the next one, in time and cumulative, is taken", () => {
    requireNext(next(), lease, 1_070, before);
    requireNext(receipt(), lease, 1_060, null);
    requireNext(next({ epochs: 6, available: 60, release: true }), lease, 1_070, before);
  });

  it("of another lease: RECEIPT_OTHER_LEASE", () =>
    refuses("RECEIPT_OTHER_LEASE", () => requireSound(receipt({ leaseId: `0x${"02".repeat(32)}` }), lease, 1_600)));

  it("from the future, as a wrong clock makes it, or after the term: RECEIPT_FUTURE, which may be asked again", () => {
    requireSound(receipt(), lease, 1_058);
    refuses("RECEIPT_FUTURE", () => requireSound(receipt(), lease, 1_057), true);
    refuses("RECEIPT_FUTURE", () => requireSound(receipt(), lease, 900), true);
    refuses("RECEIPT_FUTURE", () => requireSound(receipt({ epochs: 61 }), lease, 9_999), true);
  });

  it("backwards in epochs, in any figure, or after a release: RECEIPT_BACKWARDS", () => {
    for (const of of [
      { epochs: 5, available: 50 },
      { epochs: 6, available: 60 },
      { available: 59 },
      { bytesToBuyer: 599n },
      { bytesToSeller: 0n },
      { packetsToBuyer: 5n },
      { packetsToSeller: 2n },
    ])
      refuses("RECEIPT_BACKWARDS", () => requireNext(next(of), lease, 1_600, before));
    const released = { ...before, receipt: receipt({ release: true }) };
    refuses("RECEIPT_BACKWARDS", () => requireNext(next(), lease, 1_600, released));
  });

  it("that does not follow what both signed: RECEIPT_CHAIN", () => {
    refuses("RECEIPT_CHAIN", () => requireNext(next({ previous: NO_RECEIPT }), lease, 1_600, before));
    refuses("RECEIPT_CHAIN", () => requireNext(next(), lease, 1_600, null));
  });

  it("above what the time allows: RECEIPT_IMPOSSIBLE", () => {
    refuses("RECEIPT_IMPOSSIBLE", () => requireSound(receipt({ available: 61 }), lease, 1_600));
    const slow = { ...before, receipt: receipt({ available: 10 }) };
    refuses("RECEIPT_IMPOSSIBLE", () => requireNext(next({ available: 21 }), lease, 1_600, slow));
  });

  it("above what the rate carries in that time, either way: RECEIPT_IMPOSSIBLE", () => {
    // 100 Mbit/s for 60 s are 750 MB; 5 % and 1 MB more are an honest counter's error.
    const most = 788_500_000n;
    for (const endpoint of ["bytesToBuyer", "bytesToSeller"] as const) {
      requireSound(receipt({ [endpoint]: most }), lease, 1_600);
      refuses("RECEIPT_IMPOSSIBLE", () => requireSound(receipt({ [endpoint]: most + 1n }), lease, 1_600));
    }
  });
});
