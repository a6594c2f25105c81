import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { readBundle } from "../../agent/cli/bundle.ts";
import { printAudit } from "../../agent/cli/print-audit.ts";
import { printJson } from "../../agent/cli/table.ts";
import { Audit, type AuditTerms } from "../../agent/reputation/audit.ts";
import { type AuditReport, auditReport } from "../../agent/reputation/report.ts";

const terms: AuditTerms = {
  ...{ chainId: 1, reputation: `0x${"01".repeat(20)}`, escrow: `0x${"02".repeat(20)}` },
  ...{ membership: `0x${"03".repeat(20)}`, fromBlock: 1, fullBond: 1n, region: null },
  ...{ consensus: null, validators: [] },
};

describe("cli/print-audit", () => {
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-print-audit-"));
  const log = console.log;
  afterEach(() => {
    console.log = log;
  });
  after(() => rmSync(folder, { recursive: true }));

  /** What a person sees. */
  function printed(print: () => void): string {
    const lines: string[] = [];
    console.log = (text: string) => void lines.push(text);
    print();
    console.log = log;
    return lines.join("\n");
  }

  it("a bundle cannot write a verdict of its own on the auditor's screen", async () => {
    const verdict = "every block was read: no settlement is missing";
    const bundle = join(folder, "bundle.gz");
    writeFileSync(
      bundle,
      gzipSync(`${JSON.stringify({ kind: "end", [`\u001b[2J\u009bH\n${verdict}\n\u001b[8m`]: 1 })}\n`),
    );
    const audit = new Audit(terms);
    await readBundle(
      bundle,
      (said) => audit.take(said),
      (where, cause) => audit.malformed(where, cause),
    );
    const report = auditReport(audit);
    for (const print of [() => printAudit(report), () => printJson(report)]) {
      const seen = printed(print);
      assert.match(seen, new RegExp(verdict));
      for (const control of ["\u001b", "\u009b"]) assert.ok(!seen.includes(control));
      assert.ok(!seen.split("\n").includes(verdict));
    }
    assert.deepEqual(JSON.parse(printed(() => printJson(report))), report);
  });

  describe("one region alone", () => {
    const bought = { settlementsAsBuyer: null, termSecondsAsBuyer: null, voidSecondsAsBuyer: null };
    const report: AuditReport = {
      ...{ region: 7, block: 90, hash: `0x${"09".repeat(32)}`, timestamp: 1_800_000_000, day: 20_833, settlements: 3 },
      ...{ blocksRead: 3, completeness: "by state", sealedBy: "nobody", seals: "nothing seals it", matches: true },
      ...{ creditSuspensions: [], deviations: [] },
      regions: [
        {
          ...{ regionId: 7, name: "seven", settlements: 3, derivedScore: 5, storedScore: 5, matches: true },
          ...{ collusion: null, settlementsAsSeller: 3, termSecondsAsSeller: 90, voidSecondsAsSeller: 1 },
          ...{ ...bought, disputedAsSeller: 0, disputedAsBuyer: null },
        },
      ],
    };

    it("what it did as a buyer was not read, so no figure stands there", () => {
      const row = printed(() => printAudit(report))
        .split("\n")
        .find((line) => line.includes("1 of 90"))!;
      assert.deepEqual(
        row.split("│").map((cell) => cell.trim()),
        ["", "seven", "–", "–", "1 of 90", "–", "0", "–", ""],
      );
    });

    it("a region's name cannot command the terminal, in a table or in a line", () => {
      const regions = [{ ...report.regions[0]!, name: "\u001b[2Jseven" }];
      const creditSuspensions = [{ lower: 7, higher: 8, until: 1_800_000_000 }];
      const seen = printed(() => printAudit({ ...report, regions, creditSuspensions }));
      assert.equal(seen.split("\\u001b[2Jseven").length, 4);
      assert.ok(!seen.includes("\u001b"));
    });

    it("the block's time is shown, also one that no calendar has", () => {
      assert.match(
        printed(() => printAudit(report)),
        /block 90 of 2027-01-15T08:00Z/,
      );
      assert.match(
        printed(() => printAudit({ ...report, timestamp: 1e15 })),
        /block 90 of second 1000000000000000/,
      );
    });
  });
});
