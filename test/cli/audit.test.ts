import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AuditOptions, audited, staleness } from "../../agent/cli/audit.ts";
import { EphemeshError } from "../../agent/model/errors.ts";

const address = (digit: string) => `0x${digit.repeat(40)}`;

describe("cli/audit: what does not fit is refused before anything is read", () => {
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-audit-cli-"));
  const deployment = {
    ...{ chainId: 1, fromBlock: 1, membership: address("1"), auction: address("2"), escrow: address("3") },
    ...{ reputation: address("4"), token: address("5"), constants: { escrow: { fullBond: "10" } } },
  };
  const options: AuditOptions = { config: "none.yaml", rpc: "http://127.0.0.1:1", deployment: folder };
  before(() => writeFileSync(join(folder, "deployment.json"), JSON.stringify(deployment)));
  after(() => rmSync(folder, { recursive: true }));

  const refuses = (of: AuditOptions, code: string) =>
    assert.rejects(audited(of), (error) => {
      assert.ok(error instanceof EphemeshError, String(error));
      assert.deepEqual([error.code, error.remedy !== ""], [code, true]);
      return true;
    });

  it("options that contradict one another: AUDIT_OPTIONS", async () => {
    await refuses({ ...options, verify: "x" }, "AUDIT_OPTIONS");
    await refuses({ ...options, bundle: "x", checkpoint: "y" }, "AUDIT_OPTIONS");
    for (const more of [{ bundle: "y" }, { checkpoint: "y" }, { block: 3 }])
      await refuses({ config: "", deployment: folder, verify: "x", ...more }, "AUDIT_OPTIONS");
  });

  it("validators that are no addresses: AUDIT_OPTIONS", () =>
    refuses({ ...options, validators: `${address("1")},nobody` }, "AUDIT_OPTIONS"));

  it("a deployment without the bond of full weight: DEPLOYMENT_INCOMPLETE", async () => {
    writeFileSync(join(folder, "deployment.json"), JSON.stringify({ ...deployment, constants: undefined }));
    await refuses(options, "DEPLOYMENT_INCOMPLETE");
    writeFileSync(join(folder, "deployment.json"), JSON.stringify(deployment));
  });

  it("a checkpoint that is none, or another's, is left as it is: CHECKPOINT_UNREADABLE, CHECKPOINT_OTHER", async () => {
    const checkpoint = join(folder, "checkpoint");
    writeFileSync(checkpoint, "{}");
    await refuses({ ...options, checkpoint }, "CHECKPOINT_UNREADABLE");
    const kept = {
      ...{ format: 2, chainId: 1, reputation: address("4"), region: null, everyBlock: true, block: 9 },
      ...{ hash: `0x${"0".repeat(64)}`, settlements: 0, sellers: [], pairs: [], creditSuspensions: [], regions: [] },
    };
    writeFileSync(checkpoint, JSON.stringify({ ...kept, chainId: 2 }));
    await refuses({ ...options, checkpoint }, "CHECKPOINT_OTHER");
    writeFileSync(checkpoint, JSON.stringify(kept));
    await refuses({ ...options, checkpoint, block: 9 }, "CHECKPOINT_OTHER");
    await refuses({ ...options, checkpoint }, "RPC_UNREACHABLE");
  });

  it("a latest block of over ten minutes is warned of", () => {
    assert.equal(staleness({ block: 7, timestamp: 1_000 }, 1_600), null);
    assert.match(staleness({ block: 7, timestamp: 1_000 }, 1_000 + 11 * 60)!, /block, 7, is 11 minutes old/);
    assert.equal(staleness({ block: null, timestamp: null }, 1_000), null);
  });
});
