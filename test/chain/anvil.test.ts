import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hex, Log, PublicClient } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import type { ChainMessage } from "../../agent/auction/facts.ts";
import { leaseEscrowAbi } from "../../agent/chain/abi/lease-escrow.ts";
import { membershipAbi } from "../../agent/chain/abi/membership.ts";
import { settlementTokenAbi } from "../../agent/chain/abi/settlement-token.ts";
import { checkDeployment, connectChain, type Deployment, loadDeployment } from "../../agent/chain/client.ts";
import { ChainClock } from "../../agent/chain/clock.ts";
import { ChainFollower } from "../../agent/chain/follower.ts";
import { whoAmI } from "../../agent/chain/register.ts";
import { RpcPool } from "../../agent/chain/rpc-pool.ts";
import { type Call, Sender } from "../../agent/chain/sender.ts";
import { Journal } from "../../agent/journal/journal.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { ChainNode } from "../../lab/chain/chain-node.ts";
import { foundConsortium } from "../../lab/chain/consortium.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";
import { RpcProxy } from "../faults/rpc-proxy.ts";

const noRelay = () => Promise.reject(new Error("nobody is asked"));
const failsWith = (code: string) => (error: unknown) =>
  error instanceof EphemeshError && error.code === code && error.remedy !== "";

describe("chain drivers against a real node", function () {
  this.timeout(60_000);
  const never = new AbortController().signal;
  let node: ChainNode;
  let deployment: Deployment;
  let client: PublicClient;
  let pool: RpcPool;
  let treasury: ReturnType<typeof privateKeyToAccount>;
  let regions: Awaited<ReturnType<typeof foundConsortium>>["regions"];
  const agentOf = (index: number) => privateKeyToAccount(regions[index]!.agentKey).address;
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-chain-"));
  const freshJournal = () => Journal.open(join(mkdtempSync(join(tmpdir(), "ephemesh-")), "journal.sqlite"));

  before(async () => {
    node = await ChainNode.start();
    ({ regions } = await foundConsortium(uniformTopology({ regions: 2, rttMillis: 1 }), node.rpcUrl, folder));
    deployment = loadDeployment(folder);
    pool = new RpcPool([node.rpcUrl]);
    client = connectChain(pool, deployment);
    treasury = privateKeyToAccount(regions[0]!.treasuryKey);
  });

  after(() => node.kill());

  const approve = (amount: bigint): Call => ({
    address: deployment.token,
    abi: settlementTokenAbi,
    functionName: "approve",
    args: [privateKeyToAccount(`0x${"42".repeat(32)}`).address, amount],
  });
  const nonce = () => client.getTransactionCount({ address: treasury.address });

  describe("checkDeployment", () => {
    it("takes the deployment that is there", () => checkDeployment(client, deployment));

    it("wrong chain: nothing is signed", () =>
      assert.rejects(checkDeployment(client, { ...deployment, chainId: 1 }), failsWith("WRONG_CHAIN")));

    it("wrong contract: an address without code is named", () =>
      assert.rejects(
        checkDeployment(client, { ...deployment, escrow: `0x${"de".repeat(20)}` }),
        failsWith("WRONG_CONTRACT"),
      ));

    it("RPC down is an outage, never 'not found'", () =>
      assert.rejects(
        checkDeployment(connectChain(new RpcPool(["http://127.0.0.1:1"]), deployment), deployment),
        (error) => failsWith("RPC_UNREACHABLE")(error) && (error as EphemeshError).retryable,
      ));

    it("the next URL is asked where the first is dead", () =>
      checkDeployment(connectChain(new RpcPool(["http://127.0.0.1:1", node.rpcUrl]), deployment), deployment));

    it("a folder without a deployment says what to set", () =>
      assert.throws(() => loadDeployment(join(folder, "nowhere")), failsWith("DEPLOYMENT_UNREADABLE")));
  });

  describe("sender", () => {
    it("INV-12: a purpose that was served is not served again", async () => {
      const sender = new Sender(client, treasury, freshJournal(), noRelay);
      const before = await nonce();
      await sender.send("purpose", approve(1n), never);
      await sender.send("purpose", approve(2n), never);
      assert.equal(await nonce(), before + 1);
    });

    it("INV-12: killed after signing and before sending, the same bytes are sent once after the restart", async () => {
      const journal = freshJournal();
      const offline = new Proxy(client, {
        get: (target, name, receiver) =>
          name === "sendRawTransaction"
            ? () => Promise.reject(new Error("killed here"))
            : Reflect.get(target, name, receiver),
      });
      const before = await nonce();
      await assert.rejects(new Sender(offline, treasury, journal, noRelay).send("purpose", approve(3n), never));
      const signed = journal.transaction("purpose");
      assert.deepEqual([signed?.status, await nonce()], ["signed", before]);

      await new Sender(client, treasury, journal, noRelay).send("purpose", approve(3n), never);
      await new Sender(client, treasury, journal, noRelay).resume(never);
      const mined = journal.transaction("purpose");
      assert.deepEqual([mined?.raw, mined?.status, await nonce()], [signed?.raw, "mined", before + 1]);
    });

    it("several purposes at once take a nonce each", async () => {
      const sender = new Sender(client, treasury, freshJournal(), noRelay);
      const before = await nonce();
      await Promise.all(Array.from({ length: 8 }, (_, i) => sender.send(`p${i}`, approve(BigInt(i)), never)));
      assert.equal(await nonce(), before + 8);
    });

    it("a nonce that another transaction took: what is still needed is done anew", async () => {
      const journal = freshJournal();
      const sender = new Sender(client, treasury, journal, noRelay);
      await sender.send("first", approve(1n), never);
      const mined = journal.transaction("first")!;
      journal.saveTransaction({
        ...mined,
        purpose: "lost",
        hash: `0x${"77".repeat(32)}`,
        status: "signed",
        block: null,
        event: null,
      });
      await assert.rejects(sender.send("lost", approve(9n), never), failsWith("TRANSACTION_DROPPED"));
      await sender.send("lost", approve(9n), never);
      assert.equal(journal.transaction("lost")?.status, "mined");
    });

    it("what the contract refuses becomes a sentence, and nothing is signed", async () => {
      const journal = freshJournal();
      const stranger = privateKeyToAccount(generatePrivateKey());
      const before = await client.getTransactionCount({ address: stranger.address });
      const call: Call = { address: deployment.membership, abi: membershipAbi, functionName: "addFabric", args: ["x"] };
      await assert.rejects(
        new Sender(client, stranger, journal, noRelay).send("fabric", call, never),
        failsWith("CONTRACT_REFUSED"),
      );
      assert.equal(journal.transaction("fabric"), null);
      assert.equal(await client.getTransactionCount({ address: stranger.address }), before);
    });

    it("with no RPC nothing is signed, and it may be tried again", async () => {
      const journal = freshJournal();
      const dead = connectChain(new RpcPool(["http://127.0.0.1:1"]), deployment);
      await assert.rejects(
        new Sender(dead, treasury, journal, noRelay).send("purpose", approve(1n), never),
        (error) => failsWith("RPC_UNREACHABLE")(error) && (error as EphemeshError).retryable,
      );
      assert.equal(journal.transaction("purpose"), null);
    });
  });

  describe("who this agent is", () => {
    const whoIs = (region: string, agent: Hex) => whoAmI(client, deployment, { region, agent });

    it("a region that the consortium does not have is named, and nothing is signed", () =>
      assert.rejects(whoIs("atlantis", treasury.address), (error) => {
        assert.ok(failsWith("UNKNOWN_REGION")(error) && /atlantis/.test((error as Error).message));
        return true;
      }));

    it("a key that is not the region's says which one is", async () => {
      assert.equal(await whoIs(regions[0]!.name, agentOf(0)), regions[0]!.id);
      await assert.rejects(whoIs(regions[0]!.name, agentOf(1)), (error) => {
        assert.ok(failsWith("AGENT_KEY_WRONG")(error) && (error as Error).message.includes(agentOf(0)));
        return true;
      });
    });
  });

  describe("follower", () => {
    /** Every event of ours becomes a message that names its block and transaction. */
    const asMessage = async (log: Log): Promise<ChainMessage | null> =>
      ({ type: "AuctionCancelled", auctionId: log.transactionHash }) as unknown as ChainMessage;
    const followerOf = (journal: Journal, finalityDepth = 0, through = pool) =>
      new ChainFollower(
        through,
        deployment,
        journal,
        new ChainClock({ load: () => new Map(), save: () => undefined }),
        finalityDepth,
        asMessage,
      );
    const count = (journal: Journal) => journal.messages().length;

    it("reads every event once, also over a restart, and nothing where the head has not moved", async () => {
      const journal = freshJournal();
      const follower = followerOf(journal);
      const first = await follower.advance();
      assert.ok((first?.messages.length ?? 0) > 0);
      assert.equal(count(journal), first?.messages.length);
      assert.equal(await follower.advance(), null);
      assert.deepEqual((await followerOf(journal).advance())?.messages, []);
      assert.equal(count(journal), first?.messages.length);
    });

    it("what a reorganisation took back is taken out of the journal, and what came instead is read", async () => {
      const journal = freshJournal();
      const follower = followerOf(journal);
      await follower.advance();
      const before = count(journal);
      await new Sender(client, treasury, freshJournal(), noRelay).send("allowance", allowance(5n), never);
      await follower.advance();
      assert.ok(count(journal) > before);

      await node.request("anvil_reorg", [1, []]);
      await node.request("anvil_mine", ["0x1"]);
      const after = await follower.advance();
      assert.ok(after?.forkedAt !== null && after?.forkedAt !== undefined);
      assert.equal(count(journal), before);
    });

    it("what an attempt journaled before the node failed is told by the next one, the reorganisation too", async () => {
      const journal = freshJournal();
      const proxy = await RpcProxy.before(node.rpcUrl);
      const follower = followerOf(journal, 0, new RpcPool([proxy.url]));
      await follower.advance();
      await new Sender(client, treasury, freshJournal(), noRelay).send("allowance", allowance(6n), never);
      await follower.advance();
      await node.request("anvil_reorg", [1, []]);
      await new Sender(client, treasury, freshJournal(), noRelay).send("allowance", allowance(7n), never);
      proxy.plan = ({ method }) => (method === "eth_getBlockReceipts" ? { kind: "disconnect" } : null);
      await assert.rejects(follower.advance(), failsWith("RPC_UNREACHABLE"));
      proxy.plan = () => null;
      const after = await follower.advance();
      assert.notEqual(after?.forkedAt, null);
      assert.ok(after?.registerChanged, "the register may have changed in what was taken back");
      assert.equal(count(journal), (await followerOf(freshJournal()).advance())?.messages.length);
      proxy.stop();
    });

    it("INV-12: a purpose whose block was taken back is served again, with the same bytes", async () => {
      const journal = freshJournal();
      const sender = new Sender(client, treasury, journal, noRelay);
      await sender.send("taken back", allowance(8n), never);
      const { hash } = journal.transaction("taken back")!;
      await node.request("anvil_reorg", [1, []]);
      await assert.rejects(client.getTransactionReceipt({ hash: hash as `0x${string}` }));
      await sender.send("taken back", allowance(9n), never);
      assert.equal(journal.transaction("taken back")?.hash, hash);
      assert.equal((await client.getTransactionReceipt({ hash: hash as `0x${string}` })).status, "success");
    });

    it("blocks above the finality depth wait", async () => {
      const journal = freshJournal();
      const followed = await followerOf(journal, 3).advance();
      assert.equal(followed?.head.number, Number(await client.getBlockNumber({ cacheTime: 0 })) - 3);
    });
  });

  function allowance(units: bigint): Call {
    return { address: deployment.escrow, abi: leaseEscrowAbi, functionName: "setAllowance", args: [1, units] };
  }
});
