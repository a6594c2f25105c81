/** One region of a lab that runs ephemesh: its configuration and keys, `ephemesh up` in its router, access to its API. */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { stringify } from "yaml";
import { EphemeshError } from "../agent/model/errors.ts";
import { CONTROL_PORT, type LabRegion } from "./chain/consortium.ts";
import type { Lab } from "./lab.ts";
import { fabricAddress, fabricDevice } from "./layout/addressing.ts";
import { membersOf } from "./layout/topology.ts";
import type { LabProcess } from "./process/lab-process.ts";
import { openRelay } from "./process/relay.ts";

const MAIN = new URL("../agent/main.ts", import.meta.url).pathname;
const API_PORT = 7358;

export interface SiteOptions {
  readonly lab: Lab;
  readonly region: LabRegion;
  readonly rpcUrl: string;
  readonly deploymentDirectory: string;
  /** Configuration keys that replace the lab's own. */
  readonly policy?: Readonly<Record<string, unknown>>;
}

export class LabSite {
  readonly name: string;
  readonly configFile: string;
  readonly stateDir: string;
  readonly logFile: string;
  readonly #lab: Lab;
  readonly #token: string;
  #process: LabProcess | undefined;
  #api: string | undefined;

  private constructor(lab: Lab, name: string, folder: string, token: string) {
    this.#lab = lab;
    this.name = name;
    this.configFile = `${folder}/ephemesh.yaml`;
    this.stateDir = `${folder}/state`;
    this.logFile = `${lab.dir.logs}/${name}.log`;
    this.#token = token;
  }

  /** Writes keys and configuration; starts nothing. */
  static async prepare({ lab, region, rpcUrl, deploymentDirectory, policy = {} }: SiteOptions): Promise<LabSite> {
    const folder = `${lab.dir.path}/sites/${region.name}`;
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const token = randomBytes(24).toString("hex");
    const site = new LabSite(lab, region.name, folder, token);
    const secrets = { "agent.key": region.agentKey, "routing.key": region.routingKeyPem, "api.token": token };
    for (const [name, secret] of Object.entries(secrets)) {
      await writeFile(`${folder}/${name}`, `${secret.trim()}\n`, { mode: 0o600 });
      await chmod(`${folder}/${name}`, 0o600);
    }
    await writeFile(
      site.configFile,
      stringify({ ...configOf(lab, region, rpcUrl, deploymentDirectory, folder), ...policy }),
    );
    return site;
  }

  /** Starts `ephemesh up` and resolves when the agent is ready. @throws EphemeshError LAB_SITE_ENDED */
  async start(): Promise<void> {
    this.#process = this.#lab.spawnIn(this.name, [process.execPath, MAIN, "up", "--config", this.configFile], {
      logFile: this.logFile,
    });
    const over = new AbortController();
    const ended = this.#process.exited.then(({ exitCode, signal }) => {
      over.abort();
      throw new EphemeshError("LAB_SITE_ENDED", `${this.name} ended (${signal ?? exitCode}).`, `See ${this.logFile}.`);
    });
    ended.catch(() => undefined);
    await Promise.race([ended, this.#untilReady(over.signal)]);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.signal(name);
  }

  async stop(): Promise<void> {
    await this.#process?.stop(15_000);
  }

  /** A GET request to the API, or with a body a POST request. @throws EphemeshError with the code of the API's error */
  async ask<T>(path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${await this.#apiUrl()}${path}`, {
      ...(body === undefined
        ? {}
        : {
            method: "POST",
            body: JSON.stringify(body),
            headers: { "content-type": "application/json", authorization: `Bearer ${this.#token}` },
          }),
      signal: AbortSignal.timeout(10_000),
    });
    const answer = (await response.json()) as T & { code?: string; message?: string; remedy?: string };
    if (!response.ok)
      throw new EphemeshError(
        answer.code ?? "REFUSED",
        answer.message ?? `HTTP ${response.status}`,
        answer.remedy ?? "Read the agent's log.",
      );
    return answer;
  }

  /** Calls `read` at every event of the agent, and at least every 100 ms, until it returns a value. */
  async until<T>(read: () => Promise<T | undefined>, signal: AbortSignal): Promise<T> {
    const response = await fetch(`${await this.#apiUrl()}/v1/stream`, { signal });
    const reader = response.body!.getReader();
    try {
      for (;;) {
        const found = await read();
        if (found !== undefined) return found;
        await Promise.race([reader.read(), tick(signal)]);
      }
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  }

  /** Runs `ephemesh ARGS` in the region's router. @returns its standard output. */
  run(args: readonly string[]): Promise<string> {
    return this.#lab.exec(this.name, [process.execPath, MAIN, ...args, "--config", this.configFile]);
  }

  async #apiUrl(): Promise<string> {
    if (!this.#api) {
      const relay = await openRelay(
        (inner) => this.#lab.commandAt(this.name, inner),
        { host: "127.0.0.1", port: API_PORT },
        { host: "127.0.0.1", port: 0 },
      );
      this.#api = `http://127.0.0.1:${relay.port}`;
    }
    return this.#api;
  }

  async #untilReady(over: AbortSignal): Promise<void> {
    const url = await this.#apiUrl();
    while (!over.aborted) {
      const ready = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) }).then(
        (r) => r.ok,
        () => false,
      );
      if (ready) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Needed because no event announces that a link came up. */
function tick(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 100);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}

function configOf(lab: Lab, region: LabRegion, rpcUrl: string, deploymentDirectory: string, folder: string) {
  const { topology } = lab;
  return {
    region: region.name,
    stateDir: `${folder}/state`,
    runDir: `${folder}/run`,
    chain: { rpc: [rpcUrl], deployment: deploymentDirectory },
    keys: { agent: `${folder}/agent.key`, routing: `${folder}/routing.key` },
    control: { listen: `0.0.0.0:${CONTROL_PORT}` },
    underlays: topology.fabrics.flatMap((fabric, i) => {
      if (!membersOf(topology, fabric.name).includes(region.name)) return [];
      const { ipv4 } = fabricAddress(i + 1, region.id);
      return [
        {
          name: fabric.name,
          fabric: fabric.name,
          device: fabricDevice(i + 1),
          address: ipv4,
          endpoint: ipv4,
          ports: "51820-51919",
          spareMbps: 400,
        },
      ];
    }),
    primary: [{ name: topology.peering.name, device: fabricDevice(0), capacityMbps: topology.peering.sharedMbps }],
    sell: { floorPrice: 1000 + 150 * region.id, reserveMbps: 50, perAuctionMbps: 50 },
    buy: {
      disaster: { maxPrice: 9000, boost: 0, maxMbps: 600, budgetPerDay: 200_000_000 },
      rollout: { maxPrice: 4000, boost: 0, maxMbps: 400, budgetPerDay: 200_000_000 },
      surge: { maxPrice: 3000, boost: 0, maxMbps: 300, budgetPerDay: 200_000_000 },
    },
    accept: { radius: { rttMillis: 120 }, require: ["postQuantum"] },
    triggers: [{ on: "webhook", path: "/v1/triggers/rollout", event: "rollout" }],
    routing: { probeMillis: 100, fallback: "peering" },
    api: { listen: `127.0.0.1:${API_PORT}`, tokenFile: `${folder}/api.token` },
    log: { level: "info" },
  };
}
