/** Several regions' agents, as `ephemesh agent` runs them, on one real chain and the loopback; no interfaces. */
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stringify } from "yaml";
import type { leaseView, meshView } from "../../../agent/api/views.ts";
import { Journal, type StoredTransaction } from "../../../agent/journal/journal.ts";
import type { RegionId } from "../../../agent/model/ids.ts";
import { runAgent } from "../../../agent/serve.ts";
import { ChainNode } from "../../../lab/chain/chain-node.ts";
import { type Consortium, foundConsortium, type LabRegion } from "../../../lab/chain/consortium.ts";
import { uniformTopology } from "../../../lab/layout/topology.ts";
import { unusedPort } from "../../../lab/unused-port.ts";
import { changeRegister } from "../../helpers/change-register.ts";
import { patiently } from "../../helpers/eventually.ts";
import { Ether } from "./ether.ts";

export type MeshView = ReturnType<typeof meshView>;
export type LeaseView = ReturnType<typeof leaseView>[number];

const TOKEN = "t".repeat(32);
/** Blocks come this often and are a second apart on the chain; an agent at rest looks once a second of ours. */
const BLOCK_MILLIS = 500;

export const eventually = patiently(60_000);

export class Agent {
  readonly id: RegionId;
  readonly name: string;
  readonly configFile: string;
  readonly journalFile: string;
  readonly #ether: Ether;
  readonly #socket: string;
  readonly #api: string;
  #agent: { readonly controller: AbortController; readonly ended: Promise<unknown> } | null = null;
  #meshd: { readonly controller: AbortController; readonly ended: Promise<unknown> } | null = null;

  constructor(region: LabRegion, folder: string, config: { readonly api: { readonly listen: string } }, ether: Ether) {
    this.id = region.id as RegionId;
    this.name = region.name;
    this.configFile = `${folder}/ephemesh.yaml`;
    this.journalFile = `${folder}/state/journal.sqlite`;
    this.#socket = `${folder}/run/meshd.sock`;
    this.#api = `http://${config.api.listen}`;
    this.#ether = ether;
  }

  async start(until: "readyz" | "healthz" = "readyz"): Promise<void> {
    this.#meshd ??= running((signal) => this.#ether.serve(this.id, this.#socket, signal));
    this.#agent = running((signal) => runAgent(this.configFile, signal));
    await eventually(`${this.name}: ${until}`, () => fetch(`${this.#api}/${until}`).then((r) => r.ok || undefined));
  }

  /** The agent goes; its meshd stays as it is. */
  async stopAgent(): Promise<void> {
    this.#agent?.controller.abort(new Error("stopped"));
    await this.#agent?.ended;
    this.#agent = null;
  }

  /** The region is dead: neither agent nor meshd. */
  async stop(): Promise<void> {
    await this.stopAgent();
    this.#meshd?.controller.abort(new Error("stopped"));
    await this.#meshd?.ended;
    this.#meshd = null;
  }

  async ask<T>(path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.#api}${path}`, {
      signal: AbortSignal.timeout(10_000),
      ...(body !== undefined && {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
        body: JSON.stringify(body),
      }),
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  async mesh(): Promise<MeshView | undefined> {
    return (await this.ask<MeshView[]>("/v1/meshes?all=1")).at(-1);
  }

  leases(): Promise<LeaseView[]> {
    return this.ask<LeaseView[]>("/v1/leases?all=1");
  }

  /** Of everything that is written down here, what has this type. */
  journaled(type: string): unknown[] {
    return this.#reading((journal) => journal.messages())
      .map(({ body }) => body)
      .filter((body) => (body as { type: string }).type === type);
  }

  /** A transaction of this agent's, by what it was for. */
  transaction(purpose: string): StoredTransaction | null {
    return this.#reading((journal) => journal.transaction(purpose));
  }

  #reading<T>(read: (journal: Journal) => T): T {
    const journal = Journal.open(this.journalFile);
    try {
      return read(journal);
    } finally {
      journal.close();
    }
  }
}

export class Regions {
  readonly node: ChainNode;
  readonly agents: readonly Agent[];
  readonly ether: Ether;
  readonly consortium: Consortium;
  readonly deploymentFolder: string;
  #blocks: { readonly controller: AbortController; readonly ended: Promise<unknown> } | null = null;

  private constructor(
    node: ChainNode,
    consortium: Consortium,
    deploymentFolder: string,
    agents: readonly Agent[],
    ether: Ether,
  ) {
    this.deploymentFolder = deploymentFolder;
    this.node = node;
    this.consortium = consortium;
    this.agents = agents;
    this.ether = ether;
  }

  /** The first region buys in the tests, the others sell. All of them run when this resolves. */
  static async start(count: number, policy: Readonly<Record<string, unknown>> = {}): Promise<Regions> {
    const folder = mkdtempSync(join(tmpdir(), "ephemesh-agents-"));
    const node = await ChainNode.start();
    const topology = uniformTopology({ regions: count, rttMillis: 1 });
    const consortium = await foundConsortium(topology, node.rpcUrl, `${folder}/deployment`);
    const ether = new Ether();
    const fabric = topology.fabrics[0]!.name;
    const agents = await Promise.all(
      consortium.regions.map(async (region) => {
        const own = `${folder}/${region.name}`;
        for (const each of [own, `${own}/state`, `${own}/run`]) mkdirSync(each, { mode: 0o700 });
        const secrets = { "agent.key": region.agentKey, "routing.key": region.routingKeyPem, "api.token": TOKEN };
        for (const [name, secret] of Object.entries(secrets)) {
          writeFileSync(`${own}/${name}`, `${secret}\n`);
          chmodSync(`${own}/${name}`, 0o600);
        }
        const [control, api] = [await unusedPort(), await unusedPort()];
        const config = {
          region: region.name,
          stateDir: `${own}/state`,
          runDir: `${own}/run`,
          chain: { rpc: [node.rpcUrl], deployment: `${folder}/deployment` },
          keys: { agent: `${own}/agent.key`, routing: `${own}/routing.key` },
          control: { listen: `127.0.0.1:${control}` },
          underlays: [
            {
              ...{ name: "ix", fabric, device: "ix0", address: "192.0.2.1", endpoint: "192.0.2.1" },
              ...{ ports: "51820-51919", spareMbps: 400 },
            },
          ],
          primary: [{ name: "peering", device: "up0", capacityMbps: 100 }],
          sell: { floorPrice: 1000 + 150 * region.id, reserveMbps: 50, perAuctionMbps: 80 },
          buy: { disaster: { maxPrice: 9000, maxMbps: 600, budgetPerDay: 200_000_000 } },
          accept: { radius: { rttMillis: 500 } },
          api: { listen: `127.0.0.1:${api}`, tokenFile: `${own}/api.token` },
          log: { level: process.env.EPHEMESH_TEST_LOG ?? "error" },
          ...policy,
        };
        writeFileSync(`${own}/ephemesh.yaml`, stringify(config));
        await changeRegister(node.rpcUrl, consortium, region.agentKey, "replaceControlUrls", [
          region.id,
          [{ fabric: 0, url: `http://127.0.0.1:${control}` }],
        ]);
        return new Agent(region, own, config, ether);
      }),
    );
    const regions = new Regions(node, consortium, `${folder}/deployment`, agents, ether);
    await node.request("evm_setAutomine", [false]);
    regions.mine();
    await Promise.all(agents.map((agent) => agent.start()));
    return regions;
  }

  async stop(): Promise<void> {
    await this.halt();
    this.node.resume();
    await Promise.all(this.agents.map((agent) => agent.stop()));
    await this.node.kill();
  }

  mine(): void {
    this.#blocks ??= running(async (signal) => {
      while (!signal.aborted) {
        await this.node.request("evm_mine");
        await delay(BLOCK_MILLIS, undefined, { signal }).catch(() => undefined);
      }
    });
  }

  /** No block comes any more. */
  async halt(): Promise<void> {
    this.#blocks?.controller.abort();
    await this.#blocks?.ended;
    this.#blocks = null;
  }

  /** The next block is so much later. */
  async leap(seconds: number): Promise<void> {
    await this.node.request("evm_increaseTime", [Math.round(seconds)]);
    await this.node.request("evm_mine");
  }

  async blockNumber(): Promise<number> {
    return Number(await this.node.request("eth_blockNumber"));
  }

  async chainSeconds(): Promise<number> {
    const block = (await this.node.request("eth_getBlockByNumber", ["latest", false])) as { timestamp: string };
    return Number(block.timestamp);
  }

  /** By the consortium, in the next block. */
  asConsortium(functionName: "addPrefix" | "removePrefix", args: readonly unknown[]): Promise<void> {
    return changeRegister(this.node.rpcUrl, this.consortium, this.consortium.founderKey, functionName, args);
  }

  /** An event of the first region, until every lease of it has a link that is up. */
  async running({ mbps = 160, durationSeconds = 300, renew = false } = {}): Promise<LeaseView[]> {
    const hub = this.agents[0]!;
    const { event } = await hub.ask<{ event: { id: string } }>("/v1/triggers", {
      ...{ kind: "disaster", mbps, durationSeconds, renew },
    });
    const mine = async () => (await hub.ask<MeshView[]>("/v1/meshes")).find(({ key }) => key === event.id);
    const leases = await eventually("leases", async () => {
      const meshId = (await mine())?.meshId;
      const found = (await hub.leases()).filter((lease) => meshId && lease.meshId === meshId);
      return found.length > 0 ? found : undefined;
    });
    await eventually("running, every lease with its link", async () => {
      const mesh = await mine();
      const up = (mesh?.links ?? []).filter((link) => link.state === "up").map((link) => link.linkId as string);
      return (mesh?.phase === "running" && leases.every(({ leaseId }) => up.includes(leaseId))) || undefined;
    });
    return leases;
  }
}

function running(work: (signal: AbortSignal) => Promise<unknown>) {
  const controller = new AbortController();
  const ended = work(controller.signal).catch((error: unknown) => {
    if (!controller.signal.aborted) throw error;
  });
  return { controller, ended };
}
