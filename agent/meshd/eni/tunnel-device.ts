/**
 * A WireGuard interface: the kernel's if it has WireGuard, else `wireguard-go`, one process each. These processes have
 * sessions of their own and outlive meshd, so that its restart interrupts no traffic; they end when their interface is
 * deleted.
 */
import { spawn } from "node:child_process";
import { readdir, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { EphemeshError } from "../../model/errors.ts";
import { command } from "../kernel/commands.ts";
import { isListening } from "../kernel/listening.ts";
import { DEVICE_PATTERN } from "../kernel/marks.ts";
import { missingTool } from "../kernel/missing.ts";
import { SOCKET_DIRECTORY, socketOf } from "./uapi.ts";

export type WireguardKind = "kernel" | "userspace";

/**
 * SCHED_BATCH with meshd's nice value: it does not preempt a running process for each packet. On a busy machine it
 * handles packets in batches instead of one context switch each.
 */
export const WIREGUARD_GO = ["chrt", "--batch", "0", "wireguard-go"] as const;

const READY_MILLIS = 5_000;
/**
 * Up to this rate one processor is enough for a tunnel, and saves a third of the work: with more, wireguard-go hands each
 * packet from thread to thread, which costs more than its encryption.
 */
const ONE_PROCESSOR_MBPS = 200;

/**
 * Tests the kernel by making an interface and removing it; it is never set up.
 * @throws EphemeshError NO_PRIVILEGE
 */
export async function wireguardKind(probeDevice: string): Promise<WireguardKind> {
  try {
    await command("ip", ["link", "add", probeDevice, "type", "wireguard"]);
  } catch (error) {
    if (!(error instanceof EphemeshError)) throw error;
    if (/not permitted/i.test(error.message)) throw noPrivilege(error);
    if (/Unknown device type|not supported/i.test(error.message)) return "userspace";
    throw error;
  }
  await command("ip", ["link", "del", probeDevice]);
  return "kernel";
}

/**
 * `rateMbps`: the sum of the shares, which decides how many processors a user-space tunnel may use, for its lifetime.
 * @throws EphemeshError TUNNEL_THERE, TUNNEL_FAILED, TOOL_MISSING
 */
export async function makeTunnel(device: string, kind: WireguardKind, rateMbps: number): Promise<void> {
  if (kind === "kernel") await command("ip", ["link", "add", device, "type", "wireguard"]);
  else {
    if (await isListening(socketOf(device))) throw alreadyThere(device);
    await startUserspace(device, rateMbps <= ONE_PROCESSOR_MBPS);
  }
}

/** Not replaced: it may carry traffic, and not have been found before because a tool failed. */
function alreadyThere(device: string): EphemeshError {
  return new EphemeshError(
    "TUNNEL_THERE",
    `A process serves tunnel ${device} already; it was left unchanged.`,
    "meshd reads the kernel again and adopts it.",
    { retryable: true },
  );
}

/** Also removes the socket of a killed process. Idempotent. */
export async function removeTunnel(device: string): Promise<void> {
  await command("ip", ["link", "del", device]).catch((error: unknown) => {
    if (!(error instanceof EphemeshError) || !/Cannot find device/.test(error.message)) throw error;
  });
  await removeSocket(device);
}

/** Removes control sockets of killed tunnel processes, and returns their names. */
export async function removeStaleSockets(): Promise<readonly string[]> {
  const files = await readdir(SOCKET_DIRECTORY).catch(() => []);
  const ours = files.filter((file) => file.endsWith(".sock") && DEVICE_PATTERN.test(file.slice(0, -5)));
  const stale: string[] = [];
  for (const file of ours) {
    if (await isListening(`${SOCKET_DIRECTORY}/${file}`)) continue;
    // A starting process does not listen yet for some microseconds.
    await delay(100);
    if (await isListening(`${SOCKET_DIRECTORY}/${file}`)) continue;
    await rm(`${SOCKET_DIRECTORY}/${file}`, { force: true });
    stale.push(file);
  }
  return stale;
}

/** Exit code of `chrt` if the command is not found. */
const EXIT_NOT_FOUND = 127;

async function startUserspace(device: string, oneProcessor: boolean): Promise<void> {
  const [file, ...args] = WIREGUARD_GO;
  const child = spawn(file, [...args, "-f", device], {
    detached: true,
    stdio: "ignore",
    cwd: "/",
    env: { PATH: process.env.PATH, LOG_LEVEL: "silent", ...(oneProcessor && { GOMAXPROCS: "1" }) },
  });
  let failure: EphemeshError | null = null;
  child.once("error", (cause: NodeJS.ErrnoException) => {
    failure = cause.code === "ENOENT" ? missingTool(file, cause) : noTunnel(device, cause.message);
  });
  child.once("exit", (code, signal) => {
    failure ??=
      code === EXIT_NOT_FOUND ? missingTool("wireguard-go") : noTunnel(device, `it ended with ${signal ?? code}`);
  });
  child.unref();
  const until = performance.now() + READY_MILLIS;
  while (!(await isListening(socketOf(device)))) {
    if (failure) throw failure;
    if (performance.now() > until) {
      child.kill("SIGKILL");
      throw new EphemeshError(
        "TUNNEL_FAILED",
        `wireguard-go did not open its control socket for ${device} within ${READY_MILLIS} ms; it was killed.`,
        "Look at the machine's load; meshd tries again.",
        { retryable: true },
      );
    }
    await delay(4);
  }
  child.removeAllListeners();
}

function noTunnel(device: string, reason: string): EphemeshError {
  return new EphemeshError(
    "TUNNEL_FAILED",
    `wireguard-go made no interface ${device}: ${reason}.`,
    `Run \`${WIREGUARD_GO.join(" ")} -f NAME\` by hand: it needs /dev/net/tun, and fails at the limits of processes and inotify instances. A kernel with the module \`wireguard\` needs neither.`,
    { retryable: true },
  );
}

async function removeSocket(device: string): Promise<void> {
  const path = socketOf(device);
  const until = performance.now() + 1_000;
  while (await isListening(path)) {
    if (performance.now() > until) return;
    await delay(5);
  }
  await rm(path, { force: true });
}

function noPrivilege(cause: unknown): EphemeshError {
  return new EphemeshError(
    "NO_PRIVILEGE",
    "meshd is not permitted to make interfaces; nothing was changed.",
    "Run it with CAP_NET_ADMIN: as root, or with AmbientCapabilities=CAP_NET_ADMIN.",
    { cause },
  );
}
