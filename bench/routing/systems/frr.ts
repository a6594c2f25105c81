/**
 * FRR's OSPF with BFD over tunnels made by hand, tuned for speed: no waiting before the first shortest-path run, none
 * between advertisements. Each node has its own directory for sockets and process ids; nothing is a system service.
 */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { EphemeshError } from "../../../agent/model/errors.ts";
import type { Lab } from "../../../lab/lab.ts";
import { LAN_DEVICE } from "../../../lab/layout/addressing.ts";
import { run } from "../../../lab/run.ts";
import { handDevice } from "../../mesh/manual-tunnels.ts";
import { withPriority } from "../../mesh/priority.ts";
import { LINKS, NODES, regionName } from "../network.ts";
import { overHandTunnels, peersOf } from "./over-hand-tunnels.ts";
import type { RoutingSystem } from "./system.ts";

const DAEMONS = "/usr/lib/frr";

export function ospfWithBfd(bfdMillis: number): RoutingSystem {
  return {
    name: `ospf-${bfdMillis}`,
    about: `FRR's OSPF (hello 1 s, dead 4 s) with BFD ${bfdMillis} ms × 3`,
    async start(lab) {
      const tunnels = await overHandTunnels(lab);
      const daemons = new Map<number, readonly number[]>();
      for (const at of NODES) daemons.set(at, await startAt(lab, at, bfdMillis));
      await Promise.all(NODES.map((at) => allSessionsUp(lab, at)));
      return { ...tunnels, daemons };
    },
  };
}

const UP_WITHIN_MILLIS = 60_000;

/** OSPF forwards before BFD watches: a fault in between would be measured against OSPF's own slow timer. */
async function allSessionsUp(lab: Lab, at: number): Promise<void> {
  const ask = ["vtysh", "--vty_socket", directoryOf(lab, at), "-d", "bfdd", "-c", "show bfd peers json"] as const;
  const wanted = peersOf(LINKS, at).length;
  for (const until = performance.now() + UP_WITHIN_MILLIS; performance.now() < until; await delay(250)) {
    const answer = await lab.exec(regionName(at), ask).catch(() => "");
    if (answer.match(/"status":\s*"up"/g)?.length === wanted) return;
  }
  throw new EphemeshError(
    "BENCH_PEER_FAILED",
    `FRR's BFD sessions at node ${at} were not up within ${UP_WITHIN_MILLIS / 1000} s.`,
    "Start the daemons by hand with the configuration that this file writes, and see what they say.",
  );
}

const directoryOf = (lab: Lab, at: number): string => `${lab.dir.path}/frr${at}`;

async function startAt(lab: Lab, at: number, bfdMillis: number): Promise<readonly number[]> {
  const directory = directoryOf(lab, at);
  await mkdir(directory);
  const configs = { zebra: "", bfdd: bfddConfig(bfdMillis), ospfd: ospfdConfig(at) };
  for (const [daemon, text] of Object.entries(configs)) await writeFile(`${directory}/${daemon}.conf`, text);
  // The daemons give up root for a user of their own.
  await chmod(lab.dir.path, 0o755);
  await run(["chown", "-R", "frr:frr", directory]);
  const start = (daemon: string, ...args: readonly string[]) =>
    lab.spawnIn(
      regionName(at),
      withPriority([
        `${DAEMONS}/${daemon}`,
        ...["-f", `${directory}/${daemon}.conf`, "-i", `${directory}/${daemon}.pid`, "-P", "0"],
        ...["-z", `${directory}/zserv.api`, "--vty_socket", directory],
        ...args,
      ]),
      { logFile: `${lab.dir.logs}/frr${at}-${daemon}.log` },
    ).pid;
  return [start("zebra"), start("bfdd", "--bfdctl", `${directory}/bfdd.sock`), start("ospfd")];
}

function bfddConfig(millis: number): string {
  return `bfd
 profile fast
  detect-multiplier 3
  receive-interval ${millis}
  transmit-interval ${millis}
 exit
exit
`;
}

function ospfdConfig(at: number): string {
  const tunnels = peersOf(LINKS, at).map(
    (peer) => `interface ${handDevice(peer)}
 ip ospf network point-to-point
 ip ospf area 0
 ip ospf cost 10
 ip ospf hello-interval 1
 ip ospf dead-interval 4
 ip ospf bfd
 ip ospf bfd profile fast
exit
`,
  );
  return `${tunnels.join("")}interface ${LAN_DEVICE}
 ip ospf area 0
 ip ospf passive
exit
router ospf
 ospf router-id 10.255.0.${at}
 timers throttle spf 0 50 1000
 timers throttle lsa all 0
 timers lsa min-arrival 0
exit
`;
}
