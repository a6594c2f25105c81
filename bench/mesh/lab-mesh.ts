/** meshd in the routers of a lab, driven as agents would drive it: no chain, no market, the same messages. */
import { generateKeyPairSync } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { MESHD_NICE } from "../../agent/up.ts";
import type { Lab } from "../../lab/lab.ts";
import { fabricAddress, fabricDevice, PEERING_DEVICE, regionPrefixes } from "../../lab/layout/addressing.ts";
import type { LabProcess } from "../../lab/process/lab-process.ts";
import { MeshdClient } from "../../test/meshd/helpers/client.ts";
import type { MeshNetwork, MeshNode } from "../../test/meshd/helpers/meshes.ts";

const MESHD = new URL("../../test/meshd/helpers/meshd-process.ts", import.meta.url).pathname;
const FABRIC = 1;
/** Enough for a hundred links at one end, and for the attempts after them. */
const PORTS = { portFirst: 51_820, portLast: 52_319 } as const;

interface Running {
  readonly process: LabProcess;
  readonly client: MeshdClient;
}

export class LabMesh implements MeshNetwork {
  readonly name: string;
  readonly nodes: readonly MeshNode[];
  readonly #lab: Lab;
  readonly #running = new Map<number, Running>();
  readonly #configs: readonly string[];

  private constructor(lab: Lab, nodes: readonly MeshNode[], configs: readonly string[]) {
    this.name = lab.id;
    this.nodes = nodes;
    this.#lab = lab;
    this.#configs = configs;
  }

  /** Starts one meshd per region and returns when all of them answer. The standing peering is not part of the mesh. */
  static async start(lab: Lab, probeMillis: number): Promise<LabMesh> {
    const made = await Promise.all(lab.topology.regions.map((_, offset) => makeNode(lab, offset + 1, probeMillis)));
    const mesh = new LabMesh(
      lab,
      made.map(({ node }) => node),
      made.map(({ configFile }) => configFile),
    );
    await Promise.all(mesh.nodes.map(({ index }) => mesh.startNode(index)));
    return mesh;
  }

  node(index: number): MeshNode {
    const node = this.nodes[index - 1];
    if (!node) throw new RangeError(`node ${index}`);
    return node;
  }

  client(index: number): MeshdClient {
    return this.#at(index).client;
  }

  pid(index: number): number {
    return this.#at(index).process.pid;
  }

  async startNode(index: number): Promise<void> {
    const region = this.#lab.topology.regions[index - 1]!.name;
    const process_ = this.#lab.spawnIn(
      region,
      [process.execPath, "--disable-warning=ExperimentalWarning", MESHD, this.#configs[index - 1]!],
      { logFile: `${this.#lab.dir.logs}/meshd-${region}.log` },
    );
    const alive = { exitCode: null as number | null, signalCode: null as NodeJS.Signals | null };
    void process_.exited.then((status) => {
      alive.exitCode = status.exitCode ?? 1;
    });
    const client = await MeshdClient.connect(socketOf(this.#lab, index), alive);
    // As `ephemesh up` does: after the start, not during it.
    setPriority(process_.pid, MESHD_NICE);
    this.#running.set(index, { process: process_, client });
  }

  /** The orderly end: others are told first. */
  async stopNode(index: number): Promise<void> {
    const { process: meshd, client } = this.#at(index);
    this.#running.delete(index);
    const ended = meshd.stop(8_000);
    await ended;
    client.close();
  }

  #at(index: number): Running {
    const running = this.#running.get(index);
    if (!running) throw new RangeError(`meshd ${index} does not run`);
    return running;
  }
}

function socketOf(lab: Lab, index: number): string {
  return `${lab.dir.path}/meshd${index}.sock`;
}

async function makeNode(
  lab: Lab,
  index: number,
  probeMillis: number,
): Promise<{ readonly node: MeshNode; readonly configFile: string }> {
  const routing = generateKeyPairSync("ed25519");
  const stateDir = `${lab.dir.path}/meshd${index}`;
  await mkdir(stateDir, { mode: 0o700 });
  const routingKeyFile = `${stateDir}/routing.key`;
  await writeFile(routingKeyFile, routing.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const underlayAddress = fabricAddress(FABRIC, index).ipv4;
  const configFile = `${stateDir}/config.json`;
  const config = {
    region: lab.topology.regions[index - 1]!.name,
    routingKeyFile,
    stateDir,
    socket: socketOf(lab, index),
    underlays: [{ name: "ix", device: fabricDevice(FABRIC), address: underlayAddress, ...PORTS }],
    primaryDevices: [PEERING_DEVICE],
    probeMillis,
    logLevel: "info",
  };
  await writeFile(configFile, JSON.stringify(config));
  const { ipv4, ipv6 } = regionPrefixes(index);
  const x = Buffer.from(routing.publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
  return { node: { index, routingKey: `0x${x}`, prefixes: [ipv4, ipv6], underlayAddress }, configFile };
}
