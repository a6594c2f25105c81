/** What the peers have in common: the same kind of tunnels as ours, one per link, made by hand. */
import type { Lab } from "../../../lab/lab.ts";
import { AS_MESHD_DOES, handDevice, handLines, tunnelsByHand } from "../../mesh/manual-tunnels.ts";
import { LINKS, type Link, NODES, regionName } from "../network.ts";
import type { RunningSystem } from "./system.ts";

/** babeld speaks IPv6 between neighbours. */
const FAMILIES = "ipv4 and ipv6";

/** A strict reverse-path filter would drop what a routing daemon sends one way and takes back another. */
const LOOSE = ["all", "default"].map((scope) => `net.ipv4.conf.${scope}.rp_filter=0`);

export async function overHandTunnels(lab: Lab): Promise<Omit<RunningSystem, "daemons">> {
  await Promise.all(NODES.map((at) => lab.exec(regionName(at), ["sysctl", "-q", "-w", ...LOOSE])));
  await tunnelsByHand(lab, LINKS, FAMILIES, AS_MESHD_DOES);
  return {
    async device(_at, peer) {
      return handDevice(peer);
    },
    async raise(at, peer) {
      await lab.exec(regionName(at), ["ip", "-batch", "-"], {
        input: `${handLines(LINKS, at, peer, FAMILIES).join("\n")}\n`,
      });
    },
  };
}

export function peersOf(links: readonly Link[], at: number): readonly number[] {
  return links.flatMap(({ a, b }) => (a === at ? [b] : b === at ? [a] : []));
}
