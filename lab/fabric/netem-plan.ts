/**
 * The commands that emulate fabrics with the kernel. For each fabric the core has a bridge, and for each region a veth
 * pair whose far end is the router's device. Frames to a region are sorted by the sender's MAC address into one HTB class
 * per pair, each with its own netem. A shared rate is an `ifb` device that all frames pass first. Pure.
 */

import { type Attachment, attachments, routerNamespace } from "../layout/plan.ts";
import type { Topology } from "../layout/topology.ts";
import type { LinkSettings } from "./fabric.ts";

export const bridgeOf = (fabricIndex: number) => `fabric${fabricIndex}`;
export const portOf = (fabricIndex: number, regionIndex: number) => `f${fabricIndex}p${regionIndex}`;
export const sharedOf = (fabricIndex: number) => `shared${fabricIndex}`;

/** netem's limit counts packets, those in flight included. */
const UNLIMITED_PACKETS = 100_000;
const FULL_FRAME_BYTES = 1514;
const ETHERNET_HEADER_BYTES = 14;

export function ipLines(topology: Topology, labId: string): readonly string[] {
  const media = [topology.peering, ...topology.fabrics];
  return [
    ...media.flatMap((_, fabric) => [
      `link add ${bridgeOf(fabric)} type bridge mcast_snooping 0`,
      `link set ${bridgeOf(fabric)} up`,
    ]),
    `link add ${sharedOf(0)} type ifb`,
    `link set ${sharedOf(0)} up`,
    ...attachments(topology).flatMap((at) => {
      const port = portOf(at.fabricIndex, at.regionIndex);
      const far = `name ${at.device} address ${at.mac} mtu ${at.mtu} netns ${routerNamespace(labId, at.region)}`;
      return [
        `link add ${port} mtu ${at.mtu} type veth peer ${far}`,
        // No segmentation offload: queues count packets, and a loss must not drop 64 kB at once.
        `link set ${port} gso_max_segs 1 master ${bridgeOf(at.fabricIndex)} up`,
      ];
    }),
  ];
}

/** Inside each router. */
export function routerIpLines(topology: Topology, region: string): readonly string[] {
  return attachments(topology)
    .filter((at) => at.region === region)
    .map((at) => `link set ${at.device} gso_max_segs 1`);
}

export function tcLines(topology: Topology): readonly string[] {
  const all = attachments(topology);
  return all.flatMap((at) => {
    const port = portOf(at.fabricIndex, at.regionIndex);
    const senders = all.filter((from) => from.fabricIndex === at.fabricIndex && from.region !== at.region);
    return [
      `qdisc add dev ${port} root handle 1: htb`,
      ...senders.flatMap((from) => [
        `class add dev ${port} parent 1: classid 1:${minor(from)} htb rate 10gbit quantum 60000`,
        `qdisc add dev ${port} parent 1:${minor(from)} handle ${minor(from)}0: netem limit 1000`,
        `filter add dev ${port} parent 1: protocol all prio 1 flower src_mac ${from.mac} classid 1:${minor(from)}`,
      ]),
      ...(at.fabricIndex === 0
        ? [
            `qdisc add dev ${port} ingress`,
            `filter add dev ${port} ingress protocol all prio 1 matchall action mirred egress redirect dev ${sharedOf(0)}`,
          ]
        : []),
    ];
  });
}

/** `tc` reads class ids as hexadecimal. */
function minor(at: Pick<Attachment, "regionIndex">): string {
  return at.regionIndex.toString(16);
}

export function linkLine(from: Attachment, to: Attachment, link: LinkSettings): string {
  const port = portOf(to.fabricIndex, to.regionIndex);
  const inFlightBytes = (link.rateKbps * (link.delayMicros + link.jitterMicros)) / 8000;
  const limit =
    link.rateKbps === 0 ? UNLIMITED_PACKETS : Math.ceil((link.queueBytes + inFlightBytes) / FULL_FRAME_BYTES);
  return [
    `qdisc change dev ${port} parent 1:${minor(from)} handle ${minor(from)}0: netem limit ${limit}`,
    // netem spreads jitter around the delay, the lab adds it to the delay.
    ...[
      `delay ${link.delayMicros + link.jitterMicros / 2}us`,
      ...(link.jitterMicros > 0 ? [`${link.jitterMicros / 2}us`] : []),
    ],
    `loss random ${link.cut ? 100 : link.lossPpm / 10_000}%`,
    ...(link.rateKbps > 0 ? [`rate ${link.rateKbps}kbit`] : ["rate 0"]),
  ].join(" ");
}

export function sharedLine(fabricIndex: number, rateKbps: number, queueBytes: number): string {
  const burst = 2 * (FULL_FRAME_BYTES + ETHERNET_HEADER_BYTES);
  return `qdisc replace dev ${sharedOf(fabricIndex)} root handle 1: tbf rate ${rateKbps}kbit burst ${burst} limit ${queueBytes}`;
}
