import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toHex } from "viem";
import { loadDeployment } from "../../agent/chain/client.ts";
import { JsonRpc } from "../../agent/chain/json-rpc.ts";
import { ReputationReader } from "../../agent/chain/reputation-reader.ts";
import { headerRlp } from "../../agent/chain/wire-blocks.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { Audit, type AuditTerms } from "../../agent/reputation/audit.ts";
import type { Checkpoint } from "../../agent/reputation/checkpoint.ts";
import { decodeHeader, headerHash } from "../../agent/reputation/proof/header.ts";
import { eventTopics } from "../../agent/reputation/proof/layout.ts";
import { type AuditRecord, parseRecord, recordLine } from "../../agent/reputation/record.ts";
import { type AuditReport, auditReport } from "../../agent/reputation/report.ts";
import { ChainNode } from "../../lab/chain/chain-node.ts";
import { foundConsortium } from "../../lab/chain/consortium.ts";
import { makeHistory } from "../../lab/chain/history.ts";
import { readTopology } from "../../lab/layout/topology.ts";
import { HostileNode, type Lie } from "../helpers/hostile-node.ts";

type Json = Record<string, unknown>;
type JsonLog = { address: string; topics: string[]; data: string };

const DAY = 86_400;

describe("an audit that trusts nobody, against a real node", function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-audit-"));
  let node: ChainNode;
  let hostile: HostileNode;
  let terms: AuditTerms;
  let scores: ReadonlyMap<number, number>;
  let leases: number;

  before(async () => {
    const topology = await readTopology(new URL("../../lab/topologies/six-clouds.json", import.meta.url));
    node = await ChainNode.start({ genesisTimestamp: Math.floor(Date.now() / 1000) - 14 * DAY });
    const { deployment, regions } = await foundConsortium(topology, node.rpcUrl, folder);
    ({ scores, leases } = await makeHistory({ rpcUrl: node.rpcUrl, deployment, regions, auctions: 6 }));
    const { chainId, reputation, escrow, membership, fromBlock, constants } = loadDeployment(folder);
    const fullBond = constants!.escrow.fullBond;
    terms = {
      chainId,
      reputation,
      escrow,
      membership,
      fromBlock,
      fullBond,
      consensus: null,
      validators: [],
      region: null,
    };
    hostile = await HostileNode.before(node.rpcUrl);
  });
  beforeEach(() => {
    hostile.lie = (_, honest) => honest;
  });
  after(async () => {
    hostile.stop();
    await node.kill();
    rmSync(folder, { recursive: true });
  });

  interface Options {
    readonly everyBlock?: boolean;
    readonly block?: number | "latest";
    readonly of?: AuditTerms;
    readonly after?: Checkpoint;
    readonly keep?: AuditRecord[];
  }
  async function audit({ everyBlock = true, block = "latest", of = terms, after, keep }: Options = {}): Promise<Audit> {
    const run = new Audit(of, after ?? null);
    const reader = new ReputationReader(new JsonRpc(hostile.url), of, { everyBlock, onProgress: () => undefined });
    for await (const said of reader.records(run, block, after ?? null)) {
      keep?.push(said);
      await run.take(said);
    }
    return run;
  }
  const report = async (options?: Options): Promise<AuditReport> => auditReport(await audit(options));

  /** Named, and nothing concluded. */
  async function deviates(lie: Lie, code: string, options?: Options): Promise<AuditReport> {
    hostile.lie = lie;
    const found = await report(options);
    assert.ok(
      found.deviations.some((deviation) => deviation.code === code),
      `${code} is not among: ${found.deviations.map(({ message }) => message).join("; ")}`,
    );
    assert.deepEqual([found.matches, found.regions, found.creditSuspensions], [false, [], []]);
    return found;
  }

  describe("an honest node", () => {
    it("every score is what the contract answers, bit for bit", async () => {
      const found = await report();
      assert.deepEqual(found.deviations, []);
      assert.equal(found.settlements, leases);
      assert.equal(found.completeness, "every block");
      assert.deepEqual(new Map(found.regions.map((r) => [r.regionId, r.derivedScore])), new Map(scores));
      assert.ok(found.regions.every(({ matches, name }) => matches && name));
    });

    it("where nothing seals blocks, it says that the header is the node's word", async () =>
      assert.deepEqual((await report()).sealedBy, "nobody"));

    it("an earlier block gives the scores of that block", async () => {
      const head = await report();
      const earlier = await report({ block: Math.floor(head.block! / 2) });
      assert.deepEqual(earlier.deviations, []);
      assert.ok(earlier.settlements < head.settlements);
    });

    it("one region alone gives the same score", async () => {
      const one = await report({ everyBlock: false, of: { ...terms, region: 2 } });
      assert.deepEqual(one.deviations, []);
      assert.deepEqual(
        one.regions.map((r) => [r.regionId, r.storedScore]),
        [[2, scores.get(2)]],
      );
      assert.deepEqual([one.regions[0]?.voidSecondsAsBuyer, one.regions[0]?.settlementsAsBuyer], [null, null]);
    });

    for (const everyBlock of [true, false])
      it(`${everyBlock ? "every block" : "settlements alone"}: from a checkpoint on it ends where the whole way ends`, async () => {
        const whole = await report({ everyBlock });
        const half = await audit({ everyBlock, block: Math.floor(whole.block! / 2) });
        assert.deepEqual(half.finish(), []);
        const rest = await report({ everyBlock, after: half.checkpoint() });
        assert.deepEqual(rest.deviations, []);
        assert.deepEqual(rest.regions, whole.regions);
        assert.ok(rest.blocksRead < whole.blocksRead);
        const elsewhere = { ...half.checkpoint(), hash: toHex(1, { size: 32 }) };
        await deviates((_, honest) => honest, "CHECKPOINT_FORK", { everyBlock, after: elsewhere });
      });
  });

  describe("a hostile node", () => {
    const ours = (log: JsonLog) => log.topics[0] === eventTopics.LeaseRecorded;
    /** Changes the logs of every receipt that has a settlement. */
    const inReceipts =
      (change: (logs: JsonLog[]) => JsonLog[]): Lie =>
      ({ method }, honest) =>
        method !== "eth_getBlockReceipts"
          ? honest
          : (honest as (Json & { logs: JsonLog[] })[]).map((receipt) =>
              receipt.logs.some(ours) ? { ...receipt, logs: change(receipt.logs) } : receipt,
            );
    const wordsChanged = (data: string, word: number) => {
      const at = 2 + 64 * (word + 1) - 1;
      return `${data.slice(0, at)}${data[at] === "0" ? "1" : "0"}${data.slice(at + 1)}`;
    };

    it("omits an event from its receipt: RECEIPTS_ROOT names the block", () =>
      deviates(
        inReceipts((logs) => logs.filter((log) => !ours(log))),
        "RECEIPTS_ROOT",
      ));
    it("omits the receipts of a block: RECEIPTS_ROOT", () =>
      deviates(({ method }, honest) => (method === "eth_getBlockReceipts" ? [] : honest), "RECEIPTS_ROOT"));
    it("reorders events: RECEIPTS_ROOT", () =>
      deviates(
        inReceipts((logs) => logs.toReversed()),
        "RECEIPTS_ROOT",
      ));
    it("invents an event: RECEIPTS_ROOT", () =>
      deviates(
        inReceipts((logs) => [...logs, logs.find(ours)!]),
        "RECEIPTS_ROOT",
      ));
    for (const [word, name] of ["delivered", "failed", "buyerBond", "endDay", "day"].entries())
      it(`alters ${name} of an event, whether it moves a score or not: RECEIPTS_ROOT`, () =>
        deviates(
          inReceipts((logs) => logs.map((log) => (ours(log) ? { ...log, data: wordsChanged(log.data, word) } : log))),
          "RECEIPTS_ROOT",
        ));
    it("omits blocks with settlements from its logs: STORED_STATE names whose state is not what the rest gives", async () => {
      const found = await deviates(
        ({ method }, honest) => (method === "eth_getLogs" ? (honest as unknown[]).slice(1) : honest),
        "STORED_STATE",
        { everyBlock: false },
      );
      assert.match(found.deviations[0]!.message, /region \d/);
    });
    it("omits all logs: STORED_STATE", () =>
      deviates(({ method }, honest) => (method === "eth_getLogs" ? [] : honest), "STORED_STATE", {
        everyBlock: false,
      }));
    it("gives another block for the one that is asked for: HEADER_PARENT", () => {
      let kept: unknown;
      return deviates(({ method, params }, honest) => {
        if (method !== "eth_getBlockByNumber" || params[0] === "latest") return honest;
        const given = kept ?? honest;
        kept = honest;
        return given;
      }, "HEADER_PARENT");
    });
    it("alters a header: HEADER_HASH", () =>
      deviates(
        ({ method, params }, honest) =>
          method === "eth_getBlockByNumber" && params[0] !== "latest"
            ? { ...(honest as Json), gasUsed: "0x1" }
            : honest,
        "HEADER_HASH",
      ));
    it("forges a header in the middle together with its hash: HEADER_PARENT", () =>
      deviates(({ method, params }, honest) => {
        if (method !== "eth_getBlockByNumber" || params[0] !== toHex(terms.fromBlock + 20)) return honest;
        const forged = { ...(honest as Json), gasUsed: "0x1" };
        return { ...forged, hash: headerHash(decodeHeader(headerRlp(forged))) };
      }, "HEADER_PARENT"));
    it("alters the last header's state root together with its hash: PROOF", () =>
      deviates(
        ({ method, params }, honest) => {
          if (method !== "eth_getBlockByNumber" || params[0] !== "latest") return honest;
          const forged = { ...(honest as Json), stateRoot: toHex(1, { size: 32 }) };
          return { ...forged, hash: headerHash(decodeHeader(headerRlp(forged))) };
        },
        "PROOF",
        { everyBlock: false },
      ));
    it("alters a node of a storage proof: PROOF names what it was of", async () => {
      const found = await deviates(({ method }, honest) => {
        if (method !== "eth_getProof") return honest;
        const proof = honest as { storageProof: { proof: string[] }[] };
        const alter = (text: string) => `${text.slice(0, -1)}${text.endsWith("0") ? "1" : "0"}`;
        return {
          ...proof,
          storageProof: proof.storageProof.map((entry) => ({ ...entry, proof: entry.proof.map(alter) })),
        };
      }, "PROOF");
      assert.ok(found.deviations.some(({ message }) => /regions does not hold.*missing or altered/.test(message)));
    });
    it("leaves proofs out: PROOF", () =>
      deviates(
        ({ method }, honest) => (method === "eth_getProof" ? { accountProof: [], storageProof: [] } : honest),
        "PROOF",
      ));
    it("has no such contract: PROOF", () =>
      deviates((_, honest) => honest, "PROOF", { of: { ...terms, membership: `0x${"de".repeat(20)}` } }));
    it("serves another chain: OTHER_SUBJECT", () =>
      deviates(({ method }, honest) => (method === "eth_chainId" ? "0x1" : honest), "OTHER_SUBJECT"));
    it("answers what no node should: RPC_MALFORMED, and nothing is concluded", async () => {
      for (const [method, answer] of [
        ["eth_getBlockByNumber", null],
        ["eth_getBlockByNumber", { hash: "0x12", number: "0xzz" }],
        ["eth_getBlockReceipts", "none"],
        ["eth_getBlockReceipts", [{ logs: [{}] }]],
        ["eth_getProof", { accountProof: 1 }],
      ] as const) {
        hostile.lie = (asked, honest) => (asked.method === method ? answer : honest);
        await assert.rejects(report(), (error) => error instanceof EphemeshError && error.code === "RPC_MALFORMED");
      }
    });
    it("is not there: RPC_UNREACHABLE", async () => {
      const reader = new ReputationReader(new JsonRpc("http://127.0.0.1:1"), terms, {
        everyBlock: true,
        onProgress: () => undefined,
      });
      await assert.rejects(
        reader.records(new Audit(terms), "latest", null).next(),
        (error) => error instanceof EphemeshError && error.code === "RPC_UNREACHABLE" && error.retryable,
      );
    });
  });

  describe("a bundle", () => {
    async function bundleOf(options: Options): Promise<string[]> {
      const keep: AuditRecord[] = [];
      await audit({ ...options, keep });
      return keep.map(recordLine);
    }
    async function verify(lines: readonly string[], of = terms): Promise<AuditReport> {
      const run = new Audit(of);
      for (const [i, line] of lines.entries())
        try {
          await run.take(parseRecord(line));
        } catch (cause) {
          run.malformed(`line ${i + 1}`, cause);
        }
      return auditReport(run);
    }

    for (const options of [{ everyBlock: true }, { everyBlock: false }] as const)
      it(`passes the same check without the node (${JSON.stringify(options)})`, async () => {
        const online = await report(options);
        assert.deepEqual(await verify(await bundleOf(options)), online);
      });

    it("of one region says whose it is, and is refused for another", async () => {
      const lines = await bundleOf({ everyBlock: false, of: { ...terms, region: 2 } });
      const found = await verify(lines);
      assert.deepEqual([found.matches, found.region], [true, 2]);
      assert.equal((await verify(lines, { ...terms, region: 3 })).deviations[0]?.code, "OTHER_SUBJECT");
    });

    it("of another contract is refused", async () => {
      const lines = await bundleOf({ everyBlock: false });
      const found = await verify(lines, { ...terms, reputation: terms.escrow });
      assert.ok(found.deviations.some(({ code }) => code === "OTHER_SUBJECT"));
    });

    it("cut off anywhere concludes nothing", async () => {
      const lines = await bundleOf({ everyBlock: false });
      for (let kept = 0; kept < lines.length; kept++) {
        const { matches, deviations } = await verify(lines.slice(0, kept));
        assert.equal(matches, false);
        assert.ok(deviations.some(({ code }) => code === "TRUNCATED"));
      }
    });

    it("with any byte of a header, a receipt or a node altered concludes nothing", async () => {
      const lines = await bundleOf({ everyBlock: false });
      for (const [i, line] of lines.entries()) {
        const fields = JSON.parse(line) as Json;
        for (const [name, value] of Object.entries(fields)) {
          const hex = Array.isArray(value) ? value[Math.floor(value.length / 2)] : value;
          if (typeof hex !== "string" || !hex.startsWith("0x") || hex.length < 60) continue;
          for (const at of [2, Math.floor(hex.length / 2), hex.length - 1]) {
            const digit = hex[at] === "0" ? "1" : "0";
            const altered = line.replace(hex, `${hex.slice(0, at)}${digit}${hex.slice(at + 1)}`);
            const found = await verify(lines.map((l, j) => (j === i ? altered : l)));
            assert.equal(found.matches, false, `${name} of line ${i + 1} at ${at}`);
          }
        }
      }
    });

    it("that is no bundle is named by its line", async () => {
      const [first] = (await verify(["nonsense\n"])).deviations;
      assert.deepEqual([first?.code, first?.code === "MALFORMED" && first.where], ["MALFORMED", "line 1"]);
    });
  });
});
