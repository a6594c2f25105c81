import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Log, type PublicClient, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { ChainMessage } from "../../agent/auction/facts.ts";
import { leaseEscrowAbi } from "../../agent/chain/abi/lease-escrow.ts";
import { connectChain, type Deployment, loadDeployment } from "../../agent/chain/client.ts";
import { ChainClock } from "../../agent/chain/clock.ts";
import { ChainFollower } from "../../agent/chain/follower.ts";
import { RpcPool } from "../../agent/chain/rpc-pool.ts";
import { Sender } from "../../agent/chain/sender.ts";
import { Journal } from "../../agent/journal/journal.ts";
import type { EphemeshError } from "../../agent/model/errors.ts";
import { ChainNode } from "../../lab/chain/chain-node.ts";
import { foundConsortium } from "../../lab/chain/consortium.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";
import { type Fault, type FaultPlan, RpcProxy } from "../faults/rpc-proxy.ts";

const freshJournal = () => Journal.open(join(mkdtempSync(join(tmpdir(), "ephemesh-")), "journal.sqlite"));
const never = new AbortController().signal;

describe("what a faulty node makes of the events that are read", function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-chain-"));
  let node: ChainNode;
  let deployment: Deployment;
  let client: PublicClient;
  let first: RpcProxy;
  let second: RpcProxy;
  let units = 10n;
  let send: () => Promise<void>;

  before(async () => {
    node = await ChainNode.start();
    const { regions } = await foundConsortium(uniformTopology({ regions: 2, rttMillis: 1 }), node.rpcUrl, folder);
    deployment = loadDeployment(folder);
    client = connectChain(new RpcPool([node.rpcUrl]), deployment);
    const treasury = privateKeyToAccount(regions[0]!.treasuryKey);
    send = () =>
      new Sender(client, treasury, freshJournal(), () => Promise.reject(new Error("nobody is asked"))).send(
        "allowance",
        {
          address: deployment.escrow,
          abi: leaseEscrowAbi,
          functionName: "setAllowance",
          args: [1, units++],
        },
        never,
      );
  });
  after(() => node.kill());
  beforeEach(async () => {
    [first, second] = await Promise.all([RpcProxy.before(node.rpcUrl), RpcProxy.before(node.rpcUrl)]);
  });
  afterEach(() => {
    first.stop();
    second.stop();
  });

  const followerOf = (journal: Journal, ...proxies: RpcProxy[]) =>
    new ChainFollower(
      new RpcPool(proxies.map(({ url }) => url)),
      deployment,
      journal,
      new ChainClock({ load: () => new Map(), save: () => undefined }),
      0,
      async (log: Log) => ({ type: "AuctionCancelled", auctionId: log.transactionHash }) as unknown as ChainMessage,
    );
  const failsWith = (code: string) => (error: unknown) => (error as EphemeshError).code === code;
  const result = (value: unknown): Fault => ({ kind: "result", result: value });
  /** Answers the first so many calls of a method with a fault. */
  const times = (method: string, count: number, fault: Fault): FaultPlan => {
    let left = count;
    return (asked) => (asked.method === method && left-- > 0 ? fault : null);
  };

  it("an empty list of receipts for a block with events is not believed: the next node is asked", async () => {
    const journal = freshJournal();
    const follower = followerOf(journal, first, second);
    await follower.advance();
    await send();
    first.plan = times("eth_getBlockReceipts", 1, result([]));
    assert.equal((await follower.advance())?.messages.length, 1);
    assert.equal(second.count("eth_getBlockReceipts"), 1);
  });

  it("with one node, events that it does not give yet are read when it gives them, and none is lost", async () => {
    const journal = freshJournal();
    const follower = followerOf(journal, first);
    await follower.advance();
    const before = journal.messages().length;
    await send();
    first.plan = times("eth_getBlockReceipts", 2, result([]));
    await assert.rejects(follower.advance(), failsWith("RPC_MALFORMED"));
    await assert.rejects(follower.advance(), failsWith("RPC_MALFORMED"));
    assert.equal((await follower.advance())?.messages.length, 1);
    assert.equal(journal.messages().length, before + 1);
  });

  it("receipts with a log left out do not fit the receipts root", async () => {
    const follower = followerOf(freshJournal(), first, second);
    await follower.advance();
    await send();
    first.plan = async ({ method }, honest) => {
      if (method !== "eth_getBlockReceipts") return null;
      const receipts = (await honest()) as { logs: unknown[] }[];
      return result(receipts.map((receipt) => ({ ...receipt, logs: receipt.logs.slice(1) })));
    };
    assert.equal((await follower.advance())?.messages.length, 1);
  });

  it("a node without eth_getBlockReceipts is read by logs of the block's hash, and an empty answer is asked again", async () => {
    const follower = followerOf(freshJournal(), first);
    const lacks: Fault = { kind: "error", code: -32_601, message: "the method eth_getBlockReceipts does not exist" };
    let empty = 0;
    first.plan = ({ method }) =>
      method === "eth_getBlockReceipts" ? lacks : method === "eth_getLogs" && empty-- > 0 ? result([]) : null;
    assert.ok(((await follower.advance())?.messages.length ?? 0) > 0);
    await send();
    empty = 1;
    await assert.rejects(follower.advance(), failsWith("RPC_MALFORMED"));
    assert.equal((await follower.advance())?.messages.length, 1);
  });

  it("a node that is behind takes nothing back, and what comes later is read", async () => {
    const journal = freshJournal();
    const follower = followerOf(journal, first);
    await send();
    await follower.advance();
    const [messages, cursor] = [journal.messages().length, journal.cursor()];
    const behind = (cursor?.blockNumber ?? 0) - 3;
    const old = await client.request({ method: "eth_getBlockByNumber", params: [toHex(behind), false] });
    first.plan = ({ method, params: [number] }) =>
      method !== "eth_getBlockByNumber"
        ? null
        : number === "latest"
          ? result(old)
          : Number(number) > behind
            ? result(null)
            : null;
    assert.equal(await follower.advance(), null);
    assert.deepEqual([journal.messages().length, journal.cursor()], [messages, cursor]);
    first.plan = () => null;
    await send();
    const progress = await follower.advance();
    assert.deepEqual([progress?.forkedAt, progress?.messages.length], [null, 1]);
  });

  it("another hash rewinds nothing while a second node still has the block", async () => {
    const journal = freshJournal();
    const follower = followerOf(journal, first, second);
    await follower.advance();
    const cursor = journal.cursor();
    const forged = `0x${"ab".repeat(32)}`;
    await node.request("anvil_mine", ["0x2"]);
    first.plan = async ({ method, params: [number] }, honest) => {
      if (method !== "eth_getBlockByNumber" || Number(number) !== cursor?.blockNumber) return null;
      return result({ ...((await honest()) as object), hash: forged });
    };
    assert.equal((await follower.advance())?.forkedAt, null);
  });

  for (const [what, answer] of [
    ["null", null],
    ["{}", {}],
    ["a text", "0x1"],
  ] as const)
    it(`a newest block that is ${what} rewinds nothing`, async () => {
      const journal = freshJournal();
      const follower = followerOf(journal, first);
      await follower.advance();
      const before = journal.messages().length;
      first.plan = ({ method }) => (method === "eth_getBlockByNumber" ? result(answer) : null);
      await assert.rejects(follower.advance(), failsWith("RPC_MALFORMED"));
      assert.equal(journal.messages().length, before);
    });

  it("a reorganisation that two answers confirm is followed", async () => {
    const journal = freshJournal();
    const follower = followerOf(journal, first);
    await follower.advance();
    await send();
    await follower.advance();
    const before = journal.messages().length;
    await node.request("anvil_reorg", [1, []]);
    await node.request("anvil_mine", ["0x1"]);
    assert.notEqual((await follower.advance())?.forkedAt, null);
    assert.equal(journal.messages().length, before - 1);
  });
});
