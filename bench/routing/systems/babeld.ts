/** Debian's babeld over tunnels made by hand: type `tunnel`, so that it measures round trips as well. */
import { writeFile } from "node:fs/promises";
import type { Lab } from "../../../lab/lab.ts";
import { LAN_DEVICE, regionPrefixes } from "../../../lab/layout/addressing.ts";
import { handDevice } from "../../mesh/manual-tunnels.ts";
import { withPriority } from "../../mesh/priority.ts";
import { LINKS, NODES, regionName } from "../network.ts";
import { overHandTunnels, peersOf } from "./over-hand-tunnels.ts";
import type { RoutingSystem } from "./system.ts";

export function babeld(helloSeconds: number): RoutingSystem {
  return {
    name: `babeld-${helloSeconds}`,
    about: `babeld, hello ${helloSeconds} s, update ${4 * helloSeconds} s, type tunnel`,
    async start(lab) {
      const tunnels = await overHandTunnels(lab);
      const daemons = new Map<number, readonly number[]>();
      for (const at of NODES) daemons.set(at, [await startAt(lab, at, helloSeconds)]);
      return { ...tunnels, daemons };
    },
  };
}

async function startAt(lab: Lab, at: number, helloSeconds: number): Promise<number> {
  const base = `${lab.dir.path}/babeld${at}`;
  const devices = peersOf(LINKS, at).map(handDevice);
  const own = regionPrefixes(at).ipv4;
  const config = [
    `router-id 02:00:00:00:00:00:00:0${at}`,
    ...devices.map(
      (device) => `interface ${device} type tunnel hello-interval ${helloSeconds} update-interval ${4 * helloSeconds}`,
    ),
    // The connected route of the LAN is the kernel's own: protocol 2.
    `redistribute ip ${own} eq 16 proto 2 if ${LAN_DEVICE} allow`,
    "redistribute local deny",
    "redistribute deny",
  ];
  await writeFile(`${base}.conf`, `${config.join("\n")}\n`);
  const daemon = lab.spawnIn(
    regionName(at),
    withPriority(["babeld", "-S", `${base}.state`, "-I", `${base}.pid`, "-c", `${base}.conf`, ...devices]),
    { logFile: `${lab.dir.logs}/babeld.log` },
  );
  return daemon.pid;
}
