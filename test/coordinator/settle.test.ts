import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { type Hex, type PublicClient, recoverTypedDataAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { GrantedLease } from "../../agent/auction/facts.ts";
import { connectChain, type Deployment, loadDeployment } from "../../agent/chain/client.ts";
import { ChainClock } from "../../agent/chain/clock.ts";
import { decodeEvent } from "../../agent/chain/decode.ts";
import { ChainFollower } from "../../agent/chain/follower.ts";
import { ChainReads } from "../../agent/chain/reads.ts";
import { readFabrics } from "../../agent/chain/registry.ts";
import { RpcPool } from "../../agent/chain/rpc-pool.ts";
import { Sender } from "../../agent/chain/sender.ts";
import { settleLease } from "../../agent/coordinator/handlers/settle.ts";
import { leasesOf, type Mesh } from "../../agent/coordinator/mesh.ts";
import type { Message } from "../../agent/coordinator/messages.ts";
import { emptyWorld, reduce, type World } from "../../agent/coordinator/reduce.ts";
import type { Site } from "../../agent/coordinator/site.ts";
import { Journal } from "../../agent/journal/journal.ts";
import { type CosignedReceipt, NO_RECEIPT, type Receipt, receiptTypedData } from "../../agent/lease/receipt.ts";
import type { RegionId } from "../../agent/model/ids.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import { ChainNode } from "../../lab/chain/chain-node.ts";
import { foundConsortium } from "../../lab/chain/consortium.ts";
import { makeHistory } from "../../lab/chain/history.ts";
import { uniformTopology } from "../../lab/layout/topology.ts";

const DAY = 86_400;
const noRelay = () => Promise.reject(new Error("nobody is asked"));
const TERM_EPOCHS = 360;

/** Leases on a real chain that ran to their end; each side acts by its own agent. */
describe("settlement by two agents that did not sign a last receipt", function () {
  this.timeout(60_000);
  let node: ChainNode;
  let deployment: Deployment;
  let client: PublicClient;
  let pool: RpcPool;
  let world: World;
  let fabrics: readonly string[];
  let leases: readonly GrantedLease[];
  let mesh: Mesh;
  const keys = new Map<RegionId, Hex>();
  const folder = mkdtempSync(join(tmpdir(), "ephemesh-settle-"));

  before(async () => {
    const now = Math.floor(Date.now() / 1000);
    node = await ChainNode.start({ genesisTimestamp: now - 3 * DAY });
    const founded = await foundConsortium(uniformTopology({ regions: 4, rttMillis: 1 }), node.rpcUrl, folder);
    deployment = loadDeployment(folder);
    for (const { id, agentKey } of founded.regions) keys.set(id as RegionId, agentKey);
    const history = { rpcUrl: node.rpcUrl, deployment: founded.deployment, regions: founded.regions };
    await makeHistory({ ...history, auctions: 2, lastUnsettled: true });
    pool = new RpcPool([node.rpcUrl]);
    client = connectChain(pool, deployment);
    fabrics = await readFabrics(client, deployment.membership);
    world = await follow(Journal.open(join(folder, "world.sqlite")), emptyWorld);
    mesh = [...world.meshes.values()].at(-1)!;
    leases = leasesOf(mesh);
    assert.ok(leases.length >= 2, "there are leases to settle");
  });
  after(() => node.kill());

  async function follow(journal: Journal, from: World): Promise<World> {
    const clock = new ChainClock({ load: () => new Map(), save: () => undefined });
    const follower = new ChainFollower(pool, deployment, journal, clock, 0, (log) =>
      decodeEvent(log, {
        eventOfTransaction: () => null,
        fabricName: async (index: number) => fabrics[index] ?? "",
        blockSeconds: async (blockNumber) => Number((await client.getBlock({ blockNumber })).timestamp),
      }),
    );
    const followed = await follower.advance();
    return (followed?.messages ?? []).reduce<World>((state, message) => reduce(state, message as Message), from);
  }

  /** One side's agent: its key and journal, and what it measured in each epoch of the lease. */
  async function act(self: RegionId, of: GrantedLease, heldReceipt: CosignedReceipt | null, epochsMet: number) {
    const key = privateKeyToAccount(keys.get(self)!);
    const journal = Journal.open(join(mkdtempSync(join(folder, "agent-")), "journal.sqlite"));
    const clock = new ChainClock({ load: () => new Map(), save: () => undefined });
    clock.observe(Number((await client.getBlock()).timestamp), monotonicMillis());
    const epochs = Array.from({ length: TERM_EPOCHS }, (_, epoch) => ({
      epoch,
      probes: 100,
      met: epoch < epochsMet ? 100 : 0,
    }));
    const site = {
      self,
      key,
      deployment,
      chain: new ChainReads(client, deployment),
      clock,
      journal,
      sender: new Sender(client, key, journal, noRelay),
      log: pino({ level: "silent" }),
      signal: new AbortController().signal,
      counters: () => new Map([[of.id, { epochs }]]),
    } as unknown as Site;
    const receipts = heldReceipt ? new Map([[of.id, heldReceipt]]) : new Map();
    await settleLease(site, { ...mesh, receipts }, { kind: "settle-lease", leaseId: of.id });
  }

  async function cosigned(of: GrantedLease, epochs: number): Promise<CosignedReceipt> {
    const receipt: Receipt = {
      leaseId: of.id,
      epochs,
      available: epochs * 10,
      packetsToBuyer: 0n,
      bytesToBuyer: 0n,
      packetsToSeller: 0n,
      bytesToSeller: 0n,
      worstRttMicros: 0,
      worstLossPpm: 0,
      release: false,
      previous: NO_RECEIPT,
    };
    const typed = receiptTypedData(deployment.chainId, deployment.escrow, receipt);
    const sign = async (by: RegionId) => {
      const signature = await privateKeyToAccount(keys.get(by)!).signTypedData(typed);
      assert.equal(await recoverTypedDataAddress({ ...typed, signature }), privateKeyToAccount(keys.get(by)!).address);
      return signature;
    };
    return { receipt, buyerSignature: await sign(of.buyer), sellerSignature: await sign(of.seller) };
  }

  const settled = async () => {
    const now = await follow(Journal.open(join(mkdtempSync(join(folder, "look-")), "world.sqlite")), emptyWorld);
    return [...now.meshes.values()].at(-1)!.settled;
  };

  it("each posts the receipt that it holds and its claim; the second claim settles at once, within the grace", async () => {
    const lease = leases[0]!;
    const receipt = await cosigned(lease, 357);
    // The receipt first, then its claim: an agent does one thing at a time and is asked again.
    await act(lease.buyer, lease, receipt, 357);
    await act(lease.buyer, lease, receipt, 357);
    assert.ok(!(await settled()).has(lease.id), "one side's word settles nothing");
    await act(lease.seller, lease, receipt, 360);
    const outcome = (await settled()).get(lease.id);
    assert.ok(outcome, "the second claim settled it");
    assert.ok(outcome.sellerGets > 0n && outcome.buyerPays >= outcome.sellerGets);
  });

  it("once it has claimed, an agent waits for the other or for the end of the window", async () => {
    const lease = leases[1]!;
    await act(lease.seller, lease, null, 0);
    await assert.rejects(act(lease.seller, lease, null, 0), { code: "SETTLEMENT_WINDOW" });
    assert.ok(!(await settled()).has(lease.id));
    await act(lease.buyer, lease, null, 0);
    const outcome = (await settled()).get(lease.id);
    assert.ok(outcome);
    assert.equal(outcome.sellerGets, 0n, "never built: nothing was delivered");
  });
});
