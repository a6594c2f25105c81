/**
 * A small real network for meshd: per node a router and a host behind it, all routers on one underlay LAN (or two) and
 * one peering LAN. Namespaces carry this process's id and go with `down()`, whatever happened in them.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { isIpv6 } from "../../../agent/model/address.ts";
import type { MeshdConfig } from "../../../agent/model/meshd-messages.ts";
import { MeshdClient } from "./client.ts";

const CHILD = new URL("./meshd-process.ts", import.meta.url).pathname;
const CLEANUP = new URL("./cleanup-process.ts", import.meta.url).pathname;
let made = 0;

export interface Node {
  readonly index: number;
  readonly router: string;
  readonly host: string;
  readonly config: MeshdConfig;
  readonly routingKey: `0x${string}`;
  readonly prefixes: readonly [string, string];
  readonly hostAddress: { readonly ipv4: string; readonly ipv6: string };
  readonly underlayAddress: string;
  /** By name, where there is a second one. */
  readonly otherUnderlays: Readonly<Record<string, string>>;
}

export interface NetworkOptions {
  readonly probeMillis?: number;
  readonly logLevel?: MeshdConfig["logLevel"];
  /** Of the underlays' addresses, and so of the outer packets. */
  readonly outer?: "ipv4" | "ipv6";
  /** Adds a second LAN, as underlay `alt`. */
  readonly hasSecondFabric?: boolean;
}

export class TestNetwork {
  readonly directory = mkdtempSync(join(tmpdir(), "md-"));
  readonly name = `md-${process.pid}-${made++}`;
  readonly core = `${this.name}-core`;
  readonly nodes: Node[] = [];
  readonly #running = new Map<number, { child: ChildProcess; client: MeshdClient }>();

  static async up(size: number, options: NetworkOptions = {}): Promise<TestNetwork> {
    const network = new TestNetwork();
    try {
      await ip([`netns add ${network.core}`]);
      await inside(network.core, [
        "link add br0 type bridge",
        "link set br0 up",
        "link add br1 type bridge",
        "link set br1 up",
        "link add br2 type bridge",
        "link set br2 up",
      ]);
      for (let index = 1; index <= size; index++) network.nodes.push(await network.#add(index, options));
      for (const node of network.nodes) {
        for (const other of network.nodes) {
          if (other === node) continue;
          await inside(node.router, [
            `route add 10.${other.index}.0.0/16 via 198.18.0.${other.index}`,
            `route add fd01:${other.index}::/32 via fd00:1::${other.index}`,
          ]);
        }
      }
      return network;
    } catch (error) {
      await network.down();
      throw error;
    }
  }

  node(index: number): Node {
    const node = this.nodes[index - 1];
    if (!node) throw new RangeError(`node ${index}`);
    return node;
  }

  client(index: number): MeshdClient {
    const running = this.#running.get(index);
    if (!running) throw new Error(`meshd ${index} does not run`);
    return running.client;
  }

  pid(index: number): number {
    return this.#running.get(index)?.child.pid ?? 0;
  }

  /** Starts the node's meshd and waits for its socket to answer. */
  async start(index: number, env: Readonly<Record<string, string>> = {}): Promise<MeshdClient> {
    const node = this.node(index);
    const configFile = join(this.directory, `${index}.json`);
    writeFileSync(configFile, JSON.stringify(node.config));
    const set = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const child = spawn("ip", ["netns", "exec", node.router, "env", ...set, process.execPath, CHILD, configFile], {
      stdio: ["ignore", "ignore", process.env.MESHD_LOG ? "inherit" : openSync(this.#logFile(index), "a")],
    });
    const client = await MeshdClient.connect(node.config.socket, child);
    this.#running.set(index, { child, client });
    return client;
  }

  /** The signal, and then the end of the process. */
  async stop(index: number, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const running = this.#running.get(index);
    if (!running) return;
    this.#running.delete(index);
    running.client.close();
    const { child } = running;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  /** What the node's meshd said, unless the test's caller listens to it. */
  log(index: number): readonly { readonly level: number; readonly msg: string }[] {
    const lines = existsSync(this.#logFile(index)) ? readFileSync(this.#logFile(index), "utf8").split("\n") : [];
    return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  #logFile(index: number): string {
    return join(this.directory, `${index}.log`);
  }

  /** The `ip monitor` of a node's meshd. */
  endMonitor(index: number): void {
    for (const pid of processesIn(this.node(index).router)) {
      if (/monitor/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"))) process.kill(pid, "SIGKILL");
    }
  }

  /** Ids of all processes in a node's router: meshd, its tools, its tunnels in user space. */
  processes(index: number): readonly number[] {
    return processesIn(this.node(index).router);
  }

  /** The processes of a node's tunnels in user space. */
  tunnels(index: number): readonly number[] {
    return processesIn(this.node(index).router).filter(isTunnel);
  }

  /** What a service manager does with what a dead meshd started; tunnels' processes lead sessions of their own. */
  endTools(index: number): void {
    for (const pid of processesIn(this.node(index).router)) {
      try {
        if (!isTunnel(pid)) process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
  }

  /** What the supervisor or `ephemesh cleanup` do, from outside any meshd. */
  async cleanup(index: number, what: "everything" | "steering" = "everything"): Promise<unknown> {
    const { stdout } = await execa("ip", ["netns", "exec", this.node(index).router, process.execPath, CLEANUP, what]);
    return JSON.parse(stdout);
  }

  /** Silently loses what comes from `from` to `to` on the underlay; both ways with two calls. */
  async lose(from: number, to: number): Promise<void> {
    const address = this.node(from).underlayAddress;
    await this.#fault(to, `${isIpv6(address) ? "ip6" : "ip"} saddr ${address} drop`);
  }

  /** Of large packets no more than so many bytes a second come in from the underlay; probes do. */
  async limit(to: number, bytesPerSecond: number): Promise<void> {
    await this.#fault(to, `iifname "ix0" meta length > 500 limit rate over ${bytesPerSecond} bytes/second drop`);
  }

  /** The standing peering of a node carries nothing any more. */
  async losePeering(index: number): Promise<void> {
    await this.#fault(index, 'iifname "up0" drop');
  }

  async heal(index: number): Promise<void> {
    await execa("ip", ["netns", "exec", this.node(index).router, "nft", "delete", "table", "inet", "faults"], {
      reject: false,
    });
  }

  async #fault(at: number, rule: string): Promise<void> {
    const text = `table inet faults {
      chain lose { type filter hook prerouting priority -450; policy accept; ${rule}; }
    }`;
    await execa("ip", ["netns", "exec", this.node(at).router, "nft", "-f", "-"], { input: text });
  }

  async down(): Promise<void> {
    for (const index of [...this.#running.keys()]) await this.stop(index, "SIGKILL");
    for (const namespace of [this.core, ...this.nodes.flatMap((node) => [node.router, node.host])]) {
      for (const pid of processesIn(namespace)) process.kill(pid, "SIGKILL");
      await execa("ip", ["netns", "del", namespace], { reject: false });
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #add(
    index: number,
    { probeMillis = 50, logLevel = "info", outer = "ipv4", hasSecondFabric = false }: NetworkOptions,
  ): Promise<Node> {
    const router = `${this.name}-r${index}`;
    const host = `${this.name}-h${index}`;
    const routing = generateKeyPairSync("ed25519");
    const stateDir = join(this.directory, `state${index}`);
    mkdirSync(stateDir, { mode: 0o700 });
    const routingKeyFile = join(stateDir, "routing.key");
    writeFileSync(routingKeyFile, routing.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    await ip([`netns add ${router}`, `netns add ${host}`]);
    const sysctl = (name: string, value: string) =>
      execa("ip", ["netns", "exec", router, "sysctl", "-qw", `${name}=${value}`]);
    // Otherwise addresses change by themselves in the first second: no snapshot would equal a later one.
    await sysctl("net.ipv6.conf.default.accept_dad", "0");
    await inside(router, [
      `link add ix0 type veth peer name ix${index} netns ${this.core}`,
      `link add up0 type veth peer name up${index} netns ${this.core}`,
      `link add lan0 type veth peer name eth0 netns ${host}`,
      "link set lo up",
      ...["ix0", "up0", "lan0"].map((device) => `link set ${device} up`),
      `address add 192.0.2.${index}/24 dev ix0`,
      `address add fd00:2::${index}/64 dev ix0 nodad`,
      `address add 198.18.0.${index}/24 dev up0`,
      `address add fd00:1::${index}/64 dev up0 nodad`,
      ...(hasSecondFabric
        ? [
            `link add alt0 type veth peer name alt${index} netns ${this.core}`,
            "link set alt0 up",
            `address add 203.0.113.${index}/24 dev alt0`,
          ]
        : []),
      `address add 10.${index}.0.1/16 dev lan0`,
      `address add fd01:${index}::1/64 dev lan0 nodad`,
    ]);
    await inside(this.core, [
      `link set ix${index} master br0 up`,
      `link set up${index} master br1 up`,
      ...(hasSecondFabric ? [`link set alt${index} master br2 up`] : []),
    ]);
    await inside(host, [
      "link set lo up",
      "link set eth0 up",
      `address add 10.${index}.0.10/16 dev eth0`,
      `address add fd01:${index}::10/64 dev eth0 nodad`,
      `route add default via 10.${index}.0.1`,
      `route add default via fd01:${index}::1`,
    ]);
    await sysctl("net.ipv4.ip_forward", "1");
    await sysctl("net.ipv6.conf.all.forwarding", "1");
    await sysctl("net.ipv4.conf.all.rp_filter", "1");
    const underlayAddress = outer === "ipv4" ? `192.0.2.${index}` : `fd00:2::${index}`;
    const otherUnderlays: Record<string, string> = hasSecondFabric ? { alt: `203.0.113.${index}` } : {};
    const ports = { portFirst: 51820, portLast: 51919 };
    return {
      index,
      router,
      host,
      routingKey: `0x${Buffer.from(routing.publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex")}`,
      prefixes: [`10.${index}.0.0/16`, `fd01:${index}::/32`],
      hostAddress: { ipv4: `10.${index}.0.10`, ipv6: `fd01:${index}::10` },
      underlayAddress,
      otherUnderlays,
      config: {
        region: `region-${index}`,
        routingKeyFile,
        stateDir,
        socket: join(this.directory, `meshd${index}.sock`),
        underlays: [
          { name: "ix", device: "ix0", address: underlayAddress, ...ports },
          ...Object.entries(otherUnderlays).map(([name, address]) => ({ name, device: `${name}0`, address, ...ports })),
        ],
        primaryDevices: ["up0"],
        probeMillis,
        logLevel,
      },
    };
  }
}

export async function run(namespace: string, file: string, args: readonly string[]): Promise<string> {
  return (await execa("ip", ["netns", "exec", namespace, file, ...args])).stdout;
}

export async function inside(namespace: string, lines: readonly string[]): Promise<void> {
  await execa("ip", ["-n", namespace, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

async function ip(lines: readonly string[]): Promise<void> {
  await execa("ip", ["-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** Lines that only one of the two has: what to assert empty, so that a failure can be read. */
export function differences(before: readonly string[], after: readonly string[]): readonly string[] {
  return before.flatMap((text, index) => {
    const old = text.split("\n");
    const now = (after[index] ?? "").split("\n");
    const gone = old.filter((line) => !now.includes(line)).map((line) => `${index}: - ${line}`);
    const come = now.filter((line) => !old.includes(line)).map((line) => `${index}: + ${line}`);
    return gone.length + come.length > 0 || text === after[index] ? [...gone, ...come] : [`${index}: other order`];
  });
}

/** Everything that a mesh could leave a trace in, as text. */
export async function fullSnapshot(namespace: string): Promise<string> {
  const parts = await Promise.all([
    run(namespace, "ip", ["address", "show"]),
    run(namespace, "ip", ["-4", "route", "show", "table", "all"]),
    run(namespace, "ip", ["-6", "route", "show", "table", "all"]),
    run(namespace, "ip", ["-4", "rule", "show"]),
    run(namespace, "ip", ["-6", "rule", "show"]),
    run(namespace, "ip", ["nexthop", "show"]),
    run(namespace, "nft", ["list", "ruleset"]),
    run(namespace, "tc", ["qdisc", "show"]),
    run(namespace, "sysctl", ["-a", "-r", "^net\\.ipv[46]\\.conf\\."]),
  ]);
  return parts.join("\n---\n");
}

function isTunnel(pid: number): boolean {
  return /wireguard-go/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
}

function processesIn(namespace: string): readonly number[] {
  const file = `/run/netns/${namespace}`;
  if (!existsSync(file)) return [];
  const inode = `net:[${statSync(file).ino}]`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/ns/net`) === inode;
      } catch {
        return false;
      }
    })
    .map(Number);
}
