/**
 * A router of the test network as operators have them: FRR speaks BGP with a neighbour over the standing peering. The
 * neighbour is a namespace of its own on the same LAN. Nothing is a system service; daemons end with `stop`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { until } from "./client.ts";
import { run } from "./network.ts";

const DAEMONS = "/usr/lib/frr";

export interface Speaker {
  readonly namespace: string;
  readonly asNumber: number;
  readonly address: string;
  readonly neighbour: { readonly asNumber: number; readonly address: string };
}

export class BgpSpeaker {
  readonly #speaker: Speaker;
  readonly #directory: string;
  readonly #children: ChildProcess[] = [];

  private constructor(speaker: Speaker, directory: string) {
    this.#speaker = speaker;
    this.#directory = directory;
  }

  static async start(speaker: Speaker, parent: string): Promise<BgpSpeaker> {
    const directory = join(parent, speaker.namespace);
    mkdirSync(directory);
    writeFileSync(join(directory, "zebra.conf"), "");
    writeFileSync(join(directory, "bgpd.conf"), bgpdConfig(speaker));
    // The daemons give up root for a user of their own.
    chmodSync(parent, 0o755);
    await execa("chown", ["-R", "frr:frr", directory]);
    const running = new BgpSpeaker(speaker, directory);
    for (const daemon of ["zebra", "bgpd"]) running.#daemon(daemon);
    return running;
  }

  /** For longer than its hold time: two speakers that start together sometimes drop their first session themselves. */
  async established(): Promise<void> {
    await until(
      () => this.session(),
      (session) => session?.bgpState === "Established" && session.bgpTimerUpMsec > 1_000 * (HOLD_SECONDS + 1),
      60_000,
    );
  }

  async session(): Promise<Session | undefined> {
    const { address } = this.#speaker.neighbour;
    const all = await this.#ask(`show bgp neighbors ${address} json`).catch(() => ({}));
    return (all as Record<string, Session>)[address];
  }

  /** Prefixes that were heard from the neighbour or are its own, in both families. */
  async prefixes(): Promise<readonly string[]> {
    const tables = await Promise.all(
      ["ipv4", "ipv6"].map((family) => this.#ask(`show bgp ${family} unicast json`) as Promise<{ routes?: object }>),
    );
    return tables.flatMap(({ routes }) => Object.keys(routes ?? {})).sort();
  }

  stop(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }

  async #ask(what: string): Promise<unknown> {
    const args = ["--vty_socket", this.#directory, "-d", "bgpd", "-c", what];
    return JSON.parse(await run(this.#speaker.namespace, "vtysh", args));
  }

  #daemon(name: string): void {
    const file = (suffix: string): string => join(this.#directory, `${name}.${suffix}`);
    const args = ["-f", file("conf"), "-i", file("pid"), "-P", "0"];
    const sockets = ["-z", join(this.#directory, "zserv.api"), "--vty_socket", this.#directory];
    const command = ["netns", "exec", this.#speaker.namespace, join(DAEMONS, name), ...args, ...sockets];
    this.#children.push(spawn("ip", command, { stdio: "ignore" }));
  }
}

export interface Session {
  readonly bgpState: string;
  readonly bgpTimerUpMsec: number;
  readonly connectionsEstablished: number;
  readonly connectionsDropped: number;
}

/** Short timers, so that a session which is disturbed is seen to end. */
const HOLD_SECONDS = 3;

function bgpdConfig({ asNumber, address, neighbour }: Speaker): string {
  return `router bgp ${asNumber}
 bgp router-id ${address}
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 1 ${HOLD_SECONDS}
 neighbor ${neighbour.address} remote-as ${neighbour.asNumber}
 neighbor ${neighbour.address} advertisement-interval 0
 address-family ipv4 unicast
  redistribute connected
 exit-address-family
 address-family ipv6 unicast
  redistribute connected
  neighbor ${neighbour.address} activate
 exit-address-family
exit
`;
}
