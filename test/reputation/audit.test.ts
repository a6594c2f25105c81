import assert from "node:assert/strict";
import { toHex } from "viem";
import { Audit, type AuditTerms } from "../../agent/reputation/audit.ts";
import type { Checkpoint } from "../../agent/reputation/checkpoint.ts";
import { decodeHeader, headerHash } from "../../agent/reputation/proof/header.ts";
import type { Anchor, Block } from "../../agent/reputation/record.ts";
import { auditReport } from "../../agent/reputation/report.ts";
import { qbftHeader, validators } from "../helpers/sealed-headers.ts";

const LAST = 0x1234;
const terms: AuditTerms = {
  ...{ chainId: 1, reputation: `0x${"01".repeat(20)}`, escrow: `0x${"02".repeat(20)}` },
  ...{ membership: `0x${"03".repeat(20)}`, fromBlock: 1, fullBond: 1n, region: null },
  ...{ consensus: null, validators: [{ fromBlock: 0, validators: validators.map(({ address }) => address) }] },
};

describe("reputation/audit: whether every block was read", () => {
  let earlier: Block;
  let last: Block;
  before(async () => {
    earlier = blockOf(await qbftHeader(validators, { fields: { number: toHex(LAST - 1) } }));
    last = blockOf(await qbftHeader(validators, { fields: { number: toHex(LAST), parentHash: earlier.hash } }));
  });
  const blockOf = (header: Uint8Array): Block => ({
    ...{ kind: "block", header, receipts: null },
    hash: headerHash(decodeHeader(header)),
  });
  const anchor = (everyBlock: boolean): Anchor => ({
    ...{ kind: "anchor", format: 1, chainId: 1, reputation: terms.reputation, region: null, everyBlock },
    ...{ hash: last.hash, header: last.header },
  });

  it("a second anchor header is refused and the first one is kept", async () => {
    const audit = new Audit(terms);
    for (const said of [anchor(false), earlier, anchor(true), last]) await audit.take(said);
    const { completeness, deviations } = auditReport(audit);
    assert.equal(completeness, "by state");
    assert.ok(deviations.some(({ code, message }) => code === "MALFORMED" && /already/.test(message)));
  });

  for (const everyBlock of [true, false])
    it(`a checkpoint ${everyBlock ? "of every block, and every block after it: every block" : "that left blocks out, and every block after it: by state"}`, async () => {
      const checkpoint: Checkpoint = {
        ...{ format: 2, chainId: 1, reputation: terms.reputation, region: null, everyBlock, block: LAST - 1 },
        ...{ hash: earlier.hash, settlements: 0, sellers: [], pairs: [], creditSuspensions: [], regions: [] },
      };
      const audit = new Audit(terms, checkpoint);
      for (const said of [anchor(true), last]) await audit.take(said);
      assert.equal(auditReport(audit).completeness, everyBlock ? "every block" : "by state");
    });
});
