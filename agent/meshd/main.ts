/**
 * Assembles and runs meshd, the process that changes the router's network and has CAP_NET_ADMIN. The agent, a process of
 * its own without privileges, tells it over a Unix socket which meshes it wants.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import pino, { type Logger } from "pino";
import { EphemeshError } from "../model/errors.ts";
import type { RegionId } from "../model/ids.ts";
import { type MeshdConfig, meshdConfig } from "../model/meshd-messages.ts";
import { monotonicMillis } from "../model/time.ts";
import { VERSION } from "../model/version.ts";
import { Drops } from "./counters/drops.ts";
import { type WireguardKind, wireguardKind } from "./eni/tunnel-device.ts";
import { Batch } from "./kernel/batch.ts";
import { removeSteering } from "./kernel/cleanup.ts";
import { deviceName } from "./kernel/marks.ts";
import { requireMachine } from "./kernel/requirements.ts";
import { Meshd } from "./meshd.ts";
import { routingPrivateKey } from "./routing/lsa.ts";
import { type Handlers, serve } from "./server.ts";
import { IncarnationFile } from "./state/incarnation.ts";
import { SteeringKernel } from "./steering/kernel.ts";
import { countersOf, kernelSnapshot, measurementsOf } from "./views.ts";

/**
 * Runs until the signal. Then steering is removed, so that traffic uses the standing peering, and tunnels stay for the
 * next start to adopt; to remove them, remove the meshes before, or call `removeEverythingOfOurs` after.
 * @throws EphemeshError ROUTING_KEY_UNUSABLE, NO_PRIVILEGE, TOOL_MISSING, KERNEL_FEATURE_MISSING, ALREADY_RUNNING
 */
export async function runMeshd(config: MeshdConfig, signal: AbortSignal): Promise<void> {
  const parsed = meshdConfig.parse(config);
  const log = pino({ level: parsed.logLevel, base: { region: parsed.region, part: "meshd" } }, pino.destination(2));
  const key = readRoutingKey(parsed.routingKeyFile);
  const wireguard = await wireguardKind(deviceName(`0x${"0".repeat(64)}` as never, process.pid, 0 as RegionId));
  await requireMachine();
  const incarnationFile = new IncarnationFile(parsed.stateDir);
  const ip = new Batch("ip");
  const tc = new Batch("tc");
  // A killed meshd leaves tunnels, which are adopted, and routes, which are not, since no probe has checked them since.
  await removeSteering();
  const meshd = new Meshd({
    config: parsed,
    key,
    publicKeyHex: publicKeyHex(key),
    incarnation: await incarnationFile.next(),
    incarnationFile,
    kernel: new SteeringKernel(ip),
    ip,
    tc,
    wireguard,
    log,
  });
  log.info({ wireguard, socket: parsed.socket }, "meshd is running");
  try {
    meshd.start();
    await meshd.reconcile();
    // `ephemesh up` waits for this message.
    process.send?.("ready", () => process.connected && process.disconnect());
    await serve(parsed.socket, handlers(meshd, wireguard, log), signal, log);
  } finally {
    await meshd.stop();
    for (const batch of [ip, tc]) batch.close();
    await removeSteering();
    log.info("meshd stopped; tunnels stay, traffic uses the standing peering");
  }
}

function handlers(meshd: Meshd, wireguard: WireguardKind, log: Logger): Handlers {
  const startedAt = monotonicMillis();
  const drops = new Drops(log);
  return {
    prepareLink: ({ linkId, attempt, underlay }) => meshd.interfaces.prepare(linkId, attempt, underlay),
    completeLink: async ({ linkId, attempt, peerPublicKey, peerAddress, kem }) =>
      meshd.interfaces.complete(linkId, attempt, peerPublicKey, peerAddress, kem),
    applyMesh: async ({ mesh }) => {
      await meshd.applyMesh(mesh);
      return {};
    },
    removeMesh: async ({ meshId }) => {
      await meshd.removeMesh(meshId);
      return {};
    },
    snapshot: async () => ({ meshes: [...meshd.meshes.keys()], ...(await kernelSnapshot()), wireguard }),
    counters: () => countersOf(meshd, drops),
    measurements: async () => measurementsOf(meshd),
    heartbeat: async () => ({ uptimeMillis: monotonicMillis() - startedAt, version: VERSION }),
  };
}

/** The file holds a PEM key, or a seed of 32 bytes in hexadecimal; its mode is 0600 or stricter. */
function readRoutingKey(file: string): KeyObject {
  const refuse = (reason: string, remedy: string, cause?: unknown): never => {
    throw new EphemeshError("ROUTING_KEY_UNUSABLE", `The routing key ${file} ${reason}; nothing was started.`, remedy, {
      cause,
    });
  };
  try {
    if ((statSync(file).mode & 0o077) !== 0) refuse("can be read by others", `chmod 600 ${file}`);
    const text = readFileSync(file, "utf8").trim();
    const key = text.startsWith("-----") ? createPrivateKey(text) : routingPrivateKey(text);
    if (key.asymmetricKeyType !== "ed25519") refuse("is not an Ed25519 key", "`ephemesh config keys DIR` makes one.");
    return key;
  } catch (cause) {
    if (cause instanceof EphemeshError) throw cause;
    return refuse(
      `cannot be read: ${cause instanceof Error ? cause.message : cause}`,
      "Make one with `ephemesh config keys DIR`, owned by the user that meshd runs as.",
      cause,
    );
  }
}

function publicKeyHex(key: KeyObject): string {
  const { x } = createPublicKey(key).export({ format: "jwk" });
  return `0x${Buffer.from(x ?? "", "base64url").toString("hex")}`;
}
