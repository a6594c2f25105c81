/** WireGuard tunnels set up with `ip` and `wg`: our tunnels are compared with them, and other routing daemons use them. */
import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { WIREGUARD_GO } from "../../agent/meshd/eni/tunnel-device.ts";
import { isListening } from "../../agent/meshd/kernel/listening.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import type { Lab } from "../../lab/lab.ts";
import { fabricAddress } from "../../lab/layout/addressing.ts";
import type { Command } from "../../lab/run.ts";
import { withPriority } from "./priority.ts";

const FABRIC = 1;
const FIRST_PORT = 41_000;
const MTU = 1440;

export interface HandLink {
  readonly a: number;
  readonly b: number;
}

/**
 * With IPv6 both ends send as soon as they are up, and two WireGuard handshakes that begin together delay each other by
 * 5 s. To measure the first packet, use IPv4 alone.
 */
export type Families = "ipv4" | "ipv4 and ipv6";

/** Interface at one end of a link made by hand: named by the region at the other end. */
export const handDevice = (peer: number): string => `t${peer}`;

/** Addresses of a link's ends inside the tunnel: a /30 of its own. */
export function handAddress(links: readonly HandLink[], at: number, peer: number): string {
  const number = links.findIndex(({ a, b }) => (a === at && b === peer) || (a === peer && b === at));
  if (number < 0) throw new RangeError(`no link between ${at} and ${peer}`);
  return `10.99.${number}.${at < peer ? 1 : 2}`;
}

/** How wireguard-go is started where the kernel has no WireGuard. */
export const PLAIN: Command = ["wireguard-go"];
export const AS_MESHD_DOES: Command = ["env", "GOMAXPROCS=1", ...WIREGUARD_GO];

/** Makes all tunnels; each end has an interface that is up, with addresses and without routes. */
export async function tunnelsByHand(
  lab: Lab,
  links: readonly HandLink[],
  families: Families,
  wireguardGo: Command,
): Promise<void> {
  await Promise.all(links.map((link) => tunnelByHand(lab, links, link, families, wireguardGo)));
}

async function tunnelByHand(
  lab: Lab,
  links: readonly HandLink[],
  { a, b }: HandLink,
  families: Families,
  wireguardGo: Command,
): Promise<void> {
  const keys = [keyPair(), keyPair()] as const;
  const number = links.findIndex((link) => link.a === a && link.b === b);
  const endpoint = (region: number) => `${fabricAddress(FABRIC, region).ipv4}:${FIRST_PORT + number}`;
  const end = (at: number, peer: number, own: KeyPair, other: KeyPair) => {
    const config = [
      "[Interface]",
      `PrivateKey = ${own.private}`,
      `ListenPort = ${FIRST_PORT + number}`,
      "[Peer]",
      `PublicKey = ${other.public}`,
      "AllowedIPs = 0.0.0.0/0, ::/0",
      `Endpoint = ${endpoint(peer)}`,
    ];
    const lines = handLines(links, at, peer, families);
    return bringUp(lab, { at, device: handDevice(peer), config, lines, wireguardGo });
  };
  await Promise.all([end(a, b, keys[0], keys[1]), end(b, a, keys[1], keys[0])]);
}

/** These lines restore what the kernel forgets when the interface goes down. */
export function handLines(links: readonly HandLink[], at: number, peer: number, families: Families): readonly string[] {
  const device = handDevice(peer);
  return [
    // Below an MTU of 1280 the kernel disables IPv6.
    `link set ${device} ${families === "ipv4" ? "mtu 1279" : `addrgenmode none mtu ${MTU}`}`,
    `address replace ${handAddress(links, at, peer)}/30 dev ${device}`,
    `link set ${device} up`,
    ...(families === "ipv4" ? [] : [`address replace fe80::${at}:${peer}/64 dev ${device} nodad`]),
  ];
}

interface KeyPair {
  readonly private: string;
  readonly public: string;
}

interface HandEnd {
  readonly at: number;
  readonly device: string;
  readonly config: readonly string[];
  readonly lines: readonly string[];
  readonly wireguardGo: Command;
}

async function bringUp(lab: Lab, { at, device, config, lines, wireguardGo }: HandEnd): Promise<void> {
  const region = lab.topology.regions[at - 1]!.name;
  await makeDevice(lab, region, device, wireguardGo);
  const file = `${lab.dir.path}/${region}-${device}.conf`;
  await writeFile(file, `${config.join("\n")}\n`, { mode: 0o600 });
  await lab.exec(region, ["wg", "setconf", device, file]);
  await lab.exec(region, ["ip", "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** The kernel's WireGuard if it has one, else a wireguard-go process, as in meshd. */
async function makeDevice(lab: Lab, region: string, device: string, wireguardGo: Command): Promise<void> {
  try {
    await lab.exec(region, ["ip", "link", "add", device, "type", "wireguard"]);
    return;
  } catch (error) {
    if (!(error instanceof EphemeshError)) throw error;
  }
  const tunnel = lab.spawnIn(region, withPriority([...wireguardGo, "-f", device]), {
    logFile: `${lab.dir.logs}/wireguard.log`,
  });
  const path = `${lab.dir.sockets(lab.namespace(region))}/${device}.sock`;
  let ended = false;
  void tunnel.exited.then(() => {
    ended = true;
  });
  while (!(await isListening(path))) {
    if (ended)
      throw new EphemeshError(
        "TUNNEL_FAILED",
        `wireguard-go for ${device} in ${region} ended.`,
        "See its log in the lab.",
      );
    await delay(4);
  }
}

function keyPair(): KeyPair {
  const { d = "", x = "" } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  const base64 = (text: string) => Buffer.from(text, "base64url").toString("base64");
  return { private: base64(d), public: base64(x) };
}
