/**
 * WireGuard's cross-platform configuration protocol, over the control socket of a user-space tunnel: keys go directly to
 * its process, without a command.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { EphemeshError } from "../../model/errors.ts";
import { endpointText, type TunnelConfig } from "./configure.ts";

export const SOCKET_DIRECTORY = "/var/run/wireguard";
/** The control socket of a WireGuard tunnel in user space. */
export const socketOf = (device: string): string => `${SOCKET_DIRECTORY}/${device}.sock`;
const TIMEOUT_MILLIS = 3_000;

/** Replaces the whole configuration and all sessions. @throws EphemeshError TUNNEL_FAILED */
export async function setTunnel(device: string, config: TunnelConfig): Promise<void> {
  await ask(device, [
    "set=1",
    `private_key=${hex(config.privateKey)}`,
    `listen_port=${config.listenPort}`,
    `fwmark=${config.mark}`,
    "replace_peers=true",
    `public_key=${hex(config.peerPublicKey)}`,
    `preshared_key=${hex(config.presharedKey)}`,
    `endpoint=${endpointText(config.endpoint)}`,
    "replace_allowed_ips=true",
    "allowed_ip=0.0.0.0/0",
    "allowed_ip=::/0",
  ]);
}

/** Public key of the tunnel's only peer, in hexadecimal; null: none is configured. @throws EphemeshError TUNNEL_FAILED */
export async function peerOfTunnel(device: string): Promise<string | null> {
  const answer = await ask(device, ["get=1"]);
  return answer.find(([key]) => key === "public_key")?.[1] ?? null;
}

async function ask(device: string, lines: readonly string[]): Promise<readonly (readonly [string, string])[]> {
  const socket = connect(socketOf(device));
  socket.setTimeout(TIMEOUT_MILLIS, () => socket.destroy(new Error(`no answer within ${TIMEOUT_MILLIS} ms`)));
  try {
    await once(socket, "connect");
    socket.write(`${lines.join("\n")}\n\n`);
    let text = "";
    socket.setEncoding("utf8");
    for await (const part of socket) {
      text += part;
      if (text.endsWith("\n\n")) break;
    }
    const answer = text.split("\n").flatMap((line): [string, string][] => {
      const [key = "", value] = line.split("=", 2);
      return value === undefined ? [] : [[key, value]];
    });
    const errno = answer.find(([key]) => key === "errno")?.[1];
    if (errno !== "0") throw new Error(`errno ${errno ?? "missing"}`);
    return answer;
  } catch (cause) {
    throw new EphemeshError(
      "TUNNEL_FAILED",
      `The tunnel ${device} did not accept its configuration: ${cause instanceof Error ? cause.message : cause}.`,
      "meshd tries again; if it fails again, check that the process `wireguard-go` runs.",
      { cause, retryable: true },
    );
  } finally {
    socket.destroy();
  }
}

const hex = (base64: string): string => Buffer.from(base64, "base64").toString("hex");
