/** `ephemesh doctor`: finds faults and says how to fix each. It only reads; the checks are independent of each other. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { execa } from "execa";
import { privateKeyToAccount } from "viem/accounts";
import { checkDeployment, connectChain, loadDeployment } from "../chain/client.ts";
import { whoAmI } from "../chain/register.ts";
import { readRegions } from "../chain/registry.ts";
import { RpcPool } from "../chain/rpc-pool.ts";
import { type Config, loadConfig, meshdSocket, readSecret } from "../config.ts";
import { probeRegion } from "../control/latency.ts";
import { WIREGUARD_GO } from "../meshd/eni/tunnel-device.ts";
import { REQUIREMENTS } from "../meshd/kernel/requirements.ts";
import { MeshdClient } from "../meshd-client.ts";
import { EphemeshError } from "../model/errors.ts";
import { prefixesOverlap } from "../model/prefix.ts";
import { printJson, printTable } from "./table.ts";

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly found: string;
  readonly fix: string;
}

/** Returns what it found, or throws if that is a fault. */
type Check = readonly [name: string, find: () => Promise<string> | string];

/** Whether every check passes. */
export async function doctor(options: { readonly config: string; readonly json?: boolean }): Promise<boolean> {
  const findings: Finding[] = [];
  const run = async ([check, find]: Check): Promise<void> => {
    try {
      findings.push({ check, ok: true, found: await find(), fix: "" });
    } catch (error) {
      const fix = error instanceof EphemeshError ? error.remedy : "";
      findings.push({ check, ok: false, found: error instanceof Error ? error.message : String(error), fix });
    }
  };
  let config: Config | undefined;
  await run([
    "configuration",
    () => {
      config = loadConfig(options.config);
      return `region ${config.region}`;
    },
  ]);
  for (const check of machineChecks()) await run(check);
  if (config) for (const check of regionChecks(config)) await run(check);
  if (options.json) printJson(findings);
  else
    printTable(
      ["check", "result", "found", "fix"],
      findings.map((f) => [f.check, f.ok ? "ok" : "FAULT", f.found, f.fix]),
    );
  return findings.every((finding) => finding.ok);
}

function machineChecks(): Check[] {
  return [
    ...REQUIREMENTS.map(({ name, check }): Check => [name, check]),
    [
      "wireguard",
      async () => {
        if (existsSync("/sys/module/wireguard")) return "in the kernel";
        const [file, ...args] = WIREGUARD_GO;
        const { exitCode } = await execa(file, [...args, "--version"], { timeout: 3000, reject: false });
        if (exitCode !== 0)
          throw new EphemeshError(
            "NO_WIREGUARD",
            `The kernel module wireguard is not loaded, and \`${WIREGUARD_GO.join(" ")}\` does not run.`,
            "Run `modprobe wireguard`, or install wireguard-go and util-linux.",
          );
        try {
          accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
        } catch (cause) {
          throw new EphemeshError(
            "TUN_UNUSABLE",
            `wireguard-go cannot use /dev/net/tun: ${(cause as Error).message}.`,
            "Run `modprobe tun`, and give this user access to the device; or run `modprobe wireguard`.",
            { cause },
          );
        }
        return "in user space (wireguard-go)";
      },
    ],
    [
      "privilege",
      () => {
        const effective = BigInt(
          `0x${/^CapEff:\s+([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`,
        );
        if (!((effective >> 12n) & 1n))
          throw new EphemeshError(
            "NO_CAPABILITY",
            "CAP_NET_ADMIN is missing: this user cannot make interfaces.",
            "Run `ephemesh up` as root.",
          );
        return "CAP_NET_ADMIN";
      },
    ],
    [
      "forwarding",
      () => {
        if (readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() !== "1")
          throw new EphemeshError(
            "NOT_A_ROUTER",
            "net.ipv4.ip_forward is 0: this machine does not forward packets.",
            "Run ephemesh on the router that holds the peering; it does not change this setting.",
          );
        return "on";
      },
    ],
  ];
}

function regionChecks(config: Config): Check[] {
  const devices = networkInterfaces();
  const client = () => connectChain(new RpcPool(config.chain.rpc), loadDeployment(config.chain.deployment));
  return [
    ...Object.entries(config.keys).map(
      ([name, file]): Check => [`key ${name}`, () => `${file}, mode 0600, ${readSecret(file).length} characters`],
    ),
    [
      "journal",
      () => {
        if (!existsSync(config.stateDir))
          throw new EphemeshError(
            "STATE_DIR_MISSING",
            `The folder ${config.stateDir} of the journal does not exist.`,
            "`ephemesh up` makes it; correct stateDir if it should exist.",
          );
        const { bavail, bsize } = statfsSync(config.stateDir);
        const free = bavail * bsize;
        if (free < 64 * 1024 * 1024)
          throw new EphemeshError(
            "DISK_LOW",
            `Only ${Math.floor(free / 1024)} kB are free in ${config.stateDir}, which holds the journal.`,
            "Free at least 64 MiB: the agent stops when it cannot write salts and receipts.",
          );
        return `${Math.floor(free / 1e6)} MB free`;
      },
    ],
    ...config.underlays.map(
      (underlay): Check => [
        `underlay ${underlay.name}`,
        async () => {
          const own = devices[underlay.device]?.map((a) => a.address) ?? [];
          if (!own.includes(underlay.address))
            throw new EphemeshError(
              "UNDERLAY_ADDRESS",
              `${underlay.device} does not have the address ${underlay.address} (it has ${own.join(", ") || "none, or is down"}).`,
              "Correct underlays[].device or address, or bring the device up.",
            );
          return `${underlay.device} ${underlay.address}`;
        },
      ],
    ),
    ...config.primary.map(
      (p): Check => [
        `primary ${p.name}`,
        () => {
          if (!existsSync(`/sys/class/net/${p.device}`))
            throw new EphemeshError(
              "PRIMARY_MISSING",
              `This machine has no interface ${p.device}.`,
              "Correct primary[].device, or run ephemesh on the router that holds the peering.",
            );
          return `${p.device} (watched, never changed)`;
        },
      ],
    ),
    [
      "chain",
      async () => {
        const deployment = loadDeployment(config.chain.deployment);
        await checkDeployment(client(), deployment);
        return `chain ${deployment.chainId}, block ${await client().getBlockNumber()}`;
      },
    ],
    ...(config.chain.rpc.length > 1 ? config.chain.rpc : []).map(
      (url, i): Check => [
        `chain.rpc ${i + 1}`,
        async () => {
          const deployment = loadDeployment(config.chain.deployment);
          const pool = new RpcPool([url]);
          const only = connectChain(pool, deployment);
          await checkDeployment(only, deployment);
          return `${pool.states[0]?.url}, block ${await only.getBlockNumber()}`;
        },
      ],
    ),
    [
      "region",
      async () => {
        const deployment = loadDeployment(config.chain.deployment);
        const agent = privateKeyToAccount(readSecret(config.keys.agent) as `0x${string}`).address;
        const id = await whoAmI(client(), deployment, { region: config.region, agent });
        const regions = await readRegions(client(), deployment.membership);
        const own = regions.get(id);
        for (const other of regions.values())
          if (other.id !== id && own?.prefixes.some((a) => other.prefixes.some((b) => prefixesOverlap(a, b))))
            throw new EphemeshError(
              "PREFIX_OVERLAP",
              `Prefixes of ${other.name} overlap those of this region.`,
              "Ask the consortium to correct the register.",
            );
        return `region ${id}, ${own?.prefixes.join(", ")}`;
      },
    ],
    [
      "peers",
      async () => {
        const deployment = loadDeployment(config.chain.deployment);
        const regions = [...(await readRegions(client(), deployment.membership)).values()].filter(
          (r) => r.name !== config.region && r.active,
        );
        const probed = await Promise.all(regions.map((r) => probeRegion(r, AbortSignal.timeout(5000))));
        const silent = probed.filter((p) => p.rttMicros === null);
        if (silent.length > 0)
          throw new EphemeshError(
            "PEERS_SILENT",
            `${silent.length} of ${probed.length} peers do not answer: ${silent.map((p) => `${p.region.name} (${p.failure})`).join(", ")}.`,
            "Check that their agents run, that their control URLs can be reached, and that firewalls pass TCP to control.listen.",
          );
        return `${probed.length} of ${probed.length} answer`;
      },
    ],
    [
      "meshd",
      async () => {
        const meshd = new MeshdClient(meshdSocket(config));
        try {
          const [beat, found] = [await meshd.ask("heartbeat", {}), await meshd.ask("snapshot", {})];
          if (meshd.versionMismatch) throw meshd.versionMismatch;
          return `up for ${Math.round(beat.uptimeMillis / 1000)} s, ${found.devices.length} interfaces`;
        } finally {
          meshd.close();
        }
      },
    ],
  ];
}
