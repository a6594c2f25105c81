/**
 * A WireGuard interface: the kernel's where it has one, else `wireguard-go`, one process each. These processes lead
 * sessions of their own and survive meshd, so that a restart of it disturbs no traffic; they end when their interface
 * is deleted.
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
 * A batch process, though one before others (it has meshd's priority): it never interrupts a running one for each single
 * packet. On a busy machine that is the difference between packets in bunches and one change of context for each.
 */
export const WIREGUARD_GO = ["chrt", "--batch", "0", "wireguard-go"] as const;

const READY_MILLIS = 5_000;
/**
 * Up to here one processor carries a tunnel's packets, and one alone spares a third of the work: handing each packet
 * from thread to thread, as wireguard-go does with more, costs more than its encryption.
 */
const ONE_PROCESSOR_MBPS = 200;

/** Asks the machine by making an interface and removing it again; it never comes up. */
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

/** `rateMbps`: what its shaper lets through as it is made; a tunnel keeps its processors when that changes. */
export async function makeTunnel(device: string, kind: WireguardKind, rateMbps: number): Promise<void> {
  if (kind === "kernel") await command("ip", ["link", "add", device, "type", "wireguard"]);
  else {
    if (await isListening(socketOf(device))) throw alreadyThere(device);
    await startUserspace(device, rateMbps <= ONE_PROCESSOR_MBPS);
  }
}

/** Not overwritten: it is there because somebody made it, or because what said that it is not there was wrong. */
function alreadyThere(device: string): EphemeshError {
  return new EphemeshError(
    "TUNNEL_THERE",
    `A process serves tunnel ${device} already; it was left as it is.`,
    "meshd looks again and takes it over.",
    { retryable: true },
  );
}

/** Also removes what a killed process left. Nothing there: nothing done. */
export async function removeTunnel(device: string): Promise<void> {
  await command("ip", ["link", "del", device]).catch((error: unknown) => {
    if (!(error instanceof EphemeshError) || !/Cannot find device/.test(error.message)) throw error;
  });
  await removeSocket(device);
}

/** Control sockets of ours that nobody answers: their processes were killed. */
export async function removeStaleSockets(): Promise<readonly string[]> {
  const files = await readdir(SOCKET_DIRECTORY).catch(() => []);
  const ours = files.filter((file) => file.endsWith(".sock") && DEVICE_PATTERN.test(file.slice(0, -5)));
  const stale: string[] = [];
  for (const file of ours) {
    if (await isListening(`${SOCKET_DIRECTORY}/${file}`)) continue;
    // A process between making its socket and listening on it looks the same for some microseconds.
    await delay(100);
    if (await isListening(`${SOCKET_DIRECTORY}/${file}`)) continue;
    await rm(`${SOCKET_DIRECTORY}/${file}`, { force: true });
    stale.push(file);
  }
  return stale;
}

/** `chrt` ends with this where it does not find what it is to run. */
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
        `wireguard-go did not open its control socket for ${device} within ${READY_MILLIS} ms; it was ended.`,
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
    `See \`${WIREGUARD_GO.join(" ")} -f\` by hand: /dev/net/tun must be there, and the limits on processes and inotify instances not be reached. A kernel with the module \`wireguard\` needs neither.`,
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
    "meshd may not make interfaces; nothing was changed.",
    "Run it with CAP_NET_ADMIN: as root, or with AmbientCapabilities=CAP_NET_ADMIN.",
    { cause },
  );
}
