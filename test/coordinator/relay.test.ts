import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hex, PublicClient } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { membershipAbi } from "../../agent/chain/abi/membership.ts";
import { connectChain, type Deployment, loadDeployment } from "../../agent/chain/client.ts";
import { ChainReads } from "../../agent/chain/reads.ts";
import { RpcPool } from "../../agent/chain/rpc-pool.ts";
import { Sender } from "../../agent/chain/sender.ts";
import { answerRelay, relayTransaction } from "../../agent/coordinator/handlers/relay.ts";
import type { Site } from "../../agent/coordinator/site.ts";
import { Journal } from "../../agent/journal/journal.ts";
import type { RegionId } from "../../agent/model/ids.ts";
import { ChainNode } from "../../lab/chain/chain-node.ts";
import { foundConsortium } from "../../lab/chain/consortium.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";

const [cutOff, helpful] = [1, 2] as [RegionId, RegionId];

describe("a region that is cut off from the chain", function () {
  this.timeout(60_000);
  let node: ChainNode;
  let deployment: Deployment;
  let live: PublicClient;
  const keys = new Map<RegionId, Hex>();
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-relay-"));

  before(async () => {
    node = await ChainNode.start();
    const { regions } = await foundConsortium(uniformTopology({ regions: 2, rttMillis: 1 }), node.rpcUrl, folder);
    deployment = loadDeployment(folder);
    live = connectChain(new RpcPool([node.rpcUrl]), deployment);
    for (const { id, agentKey } of regions) keys.set(id as RegionId, agentKey);
  });
  after(() => node.kill());

  const account = (id: RegionId) => privateKeyToAccount(keys.get(id)!);
  const regions = () =>
    new Map([cutOff, helpful].map((id) => [id, { id, active: true, agentKey: account(id).address, controlUrls: [] }]));
  /** The peer's end, which reaches the chain. */
  const peer = () => ({ deployment, chain: new ChainReads(live, deployment), regions }) as unknown as Site;
  const answered = (raw: Hex) => answerRelay(peer(), cutOff, { raw });

  async function signed(by: RegionId, change: Record<string, unknown> = {}): Promise<Hex> {
    return account(by).signTransaction({
      chainId: deployment.chainId,
      to: deployment.membership,
      data: "0x",
      gas: 300_000n,
      gasPrice: 0n,
      nonce: await live.getTransactionCount({ address: account(by).address }),
      type: "legacy",
      ...change,
    });
  }

  it("hands what it signed to a peer, which sends it; it stays pending until a block is seen to have it", async () => {
    const journal = Journal.open(join(folder, "journal.sqlite"));
    const asked: string[] = [];
    const site = {
      self: cutOff,
      regions,
      control: {
        ask: async (to: { id: RegionId }, kind: string, body: unknown) => {
          asked.push(`${kind} ${to.id}`);
          return answerRelay(peer(), cutOff, body);
        },
      },
    } as unknown as Site;
    const urls = [{ url: "https://new.example", fabric: 0 }];
    const replace = { address: deployment.membership, abi: membershipAbi, functionName: "replaceControlUrls" };
    // Signed and on disk when the wire is cut: it is never sent by this side.
    const silent = new Proxy(live, {
      get: (client, name) =>
        name === "sendRawTransaction"
          ? () => Promise.reject(new Error("the wire is cut"))
          : Reflect.get(client, name, client),
    });
    const sender = new Sender(silent, account(cutOff), journal, (raw) => relayTransaction(site, raw));
    const call = { ...replace, args: [cutOff, urls] };
    await assert.rejects(sender.send("urls", call, new AbortController().signal), { code: "RPC_UNREACHABLE" });
    assert.equal(journal.transaction("urls")?.status, "signed");

    await sender.handOver();
    assert.deepEqual(asked, [`relay-transaction ${helpful}`]);
    const region = await live.readContract({ ...replace, abi: membershipAbi, functionName: "region", args: [cutOff] });
    assert.deepEqual(
      region.controlUrls.map(({ url }) => url),
      ["https://new.example"],
    );
    assert.equal(journal.transaction("urls")?.status, "signed", "nobody here has seen the block yet");
    await new Sender(live, account(cutOff), journal, () => Promise.reject(new Error("no need"))).resume(
      new AbortController().signal,
    );
    assert.equal(journal.transaction("urls")?.status, "mined");
  });

  it("is told where no peer reaches the chain, and keeps what it signed", async () => {
    const site = {
      self: cutOff,
      regions,
      control: { ask: () => Promise.reject(new Error("unreachable")) },
    } as unknown as Site;
    await assert.rejects(relayTransaction(site, await signed(cutOff)), { code: "NO_RELAY" });
  });

  describe("a peer carries nothing else than the asker's own transactions to the deployment", () => {
    for (const [what, make] of [
      ["signed by somebody else", () => signed(helpful)],
      ["for another chain", () => signed(cutOff, { chainId: 1 })],
      ["to another contract", () => signed(cutOff, { to: deployment.token })],
      ["that is none", async () => "0x1234" as Hex],
    ] as const)
      it(`not one ${what}`, async () => {
        const before = await live.getBlockNumber();
        await assert.rejects(answered(await make()), { code: "RELAY_REFUSED" });
        assert.equal(await live.getBlockNumber(), before);
      });

    it("not one that is too large", () =>
      assert.rejects(answered(`0x${"00".repeat(30_000)}`), (error: Error) => error.name === "ZodError"));

    it("a transaction that was sent already is as good as sent", async () => {
      const data = "0x12345678";
      const raw = await signed(cutOff, { to: deployment.escrow, data });
      await answered(raw);
      await answered(raw);
    });
  });
});
