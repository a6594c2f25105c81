/** The namespaces, sysctls and `ip -batch` lines that make a topology. After a fault a device is set up by the same lines. Pure. */
import {
  CORE_MANAGEMENT_ADDRESS,
  fabricAddress,
  fabricDevice,
  fabricMac,
  hostAddress,
  LAN_DEVICE,
  MANAGEMENT_DEVICE,
  managementAddress,
  PEERING_FABRIC,
  regionPrefixes,
  routerLanAddress,
} from "./addressing.ts";
import { fabricIndex, membersOf, regionIndex, type Topology } from "./topology.ts";

export interface NamespacePlan {
  readonly namespace: string;
  readonly sysctls: readonly string[];
  /** Run once the fabrics have created their devices in the routers: in the core, then in routers, then in hosts. */
  readonly ipLines: readonly string[];
}

export interface Attachment {
  readonly fabric: string;
  readonly fabricIndex: number;
  readonly region: string;
  readonly regionIndex: number;
  readonly device: string;
  readonly mac: string;
  readonly mtu: number;
}

export const NAMESPACE_PREFIX = "eph-";

export const coreNamespace = (labId: string) => `${NAMESPACE_PREFIX}${labId}-core`;
export const routerNamespace = (labId: string, region: string) => `${NAMESPACE_PREFIX}${labId}-${region}`;
export const hostNamespace = (labId: string, region: string) => `${NAMESPACE_PREFIX}${labId}-${region}-host`;

/** Duplicate address detection would delay every IPv6 address by a second. */
const NO_DUPLICATE_DETECTION = ["net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"];

/** With strict reverse-path filters, since a mesh must work with them. */
const ROUTER_SYSCTLS = [
  ...NO_DUPLICATE_DETECTION,
  "net.ipv4.ip_forward=1",
  "net.ipv6.conf.all.forwarding=1",
  "net.ipv4.conf.all.rp_filter=1",
  "net.ipv4.conf.default.rp_filter=1",
];

/** Every device of a region on a fabric or the peering. */
export function attachments(topology: Topology): readonly Attachment[] {
  return [topology.peering, ...topology.fabrics].flatMap((medium) =>
    membersOf(topology, medium.name).map((region) => {
      const fabric = fabricIndex(topology, medium.name);
      const index = regionIndex(topology, region);
      return {
        fabric: medium.name,
        fabricIndex: fabric,
        region,
        regionIndex: index,
        device: fabricDevice(fabric),
        mac: fabricMac(fabric, index),
        mtu: medium.mtu,
      };
    }),
  );
}

export function corePlan(topology: Topology, labId: string): NamespacePlan {
  return {
    namespace: coreNamespace(labId),
    sysctls: NO_DUPLICATE_DETECTION,
    ipLines: [
      "link set lo up",
      "link add mgmt type bridge",
      `address add ${CORE_MANAGEMENT_ADDRESS}/24 dev mgmt`,
      "link set mgmt up",
      ...topology.regions.flatMap((region, offset) => [
        `link add mgmt${offset + 1} type veth peer name ${MANAGEMENT_DEVICE} netns ${routerNamespace(labId, region.name)}`,
        `link set mgmt${offset + 1} master mgmt up`,
      ]),
    ],
  };
}

export function routerPlan(topology: Topology, labId: string, region: string): NamespacePlan {
  const index = regionIndex(topology, region);
  const lan = routerLanAddress(index);
  return {
    namespace: routerNamespace(labId, region),
    sysctls: ROUTER_SYSCTLS,
    ipLines: [
      "link set lo up",
      `address add ${managementAddress(index)}/24 dev ${MANAGEMENT_DEVICE}`,
      `link set ${MANAGEMENT_DEVICE} up`,
      `link add ${LAN_DEVICE} type veth peer name ${LAN_DEVICE} netns ${hostNamespace(labId, region)}`,
      `address add ${lan.ipv4}/16 dev ${LAN_DEVICE}`,
      `address add ${lan.ipv6}/64 dev ${LAN_DEVICE} nodad`,
      `link set ${LAN_DEVICE} up`,
      ...attachments(topology)
        .filter((attachment) => attachment.region === region)
        .flatMap((attachment) => deviceLines(topology, attachment)),
    ],
  };
}

export function hostPlan(topology: Topology, labId: string, region: string): NamespacePlan {
  const index = regionIndex(topology, region);
  const own = hostAddress(index);
  const router = routerLanAddress(index);
  return {
    namespace: hostNamespace(labId, region),
    sysctls: NO_DUPLICATE_DETECTION,
    ipLines: [
      "link set lo up",
      `address add ${own.ipv4}/16 dev ${LAN_DEVICE}`,
      `address add ${own.ipv6}/64 dev ${LAN_DEVICE} nodad`,
      `link set ${LAN_DEVICE} up`,
      `route add default via ${router.ipv4}`,
      `route add default via ${router.ipv6}`,
    ],
  };
}

/** Sets up a fabric's device, at the start or after it was down. */
export function deviceLines(topology: Topology, attachment: Attachment): readonly string[] {
  const { device } = attachment;
  const own = fabricAddress(attachment.fabricIndex, attachment.regionIndex);
  const peers = membersOf(topology, attachment.fabric)
    .filter((peer) => peer !== attachment.region)
    .map((peer) => regionIndex(topology, peer));
  return [
    `address replace ${own.ipv4}/24 dev ${device}`,
    `link set ${device} up`,
    `address replace ${own.ipv6}/64 dev ${device} nodad`,
    // A real gateway stays in the neighbour table. Here a neighbour is an ocean away, and resolving its address would
    // delay the first packet by a round trip.
    ...peers.flatMap((peer) => {
      const { ipv4, ipv6 } = fabricAddress(attachment.fabricIndex, peer);
      const mac = fabricMac(attachment.fabricIndex, peer);
      return [ipv4, ipv6].map((address) => `neighbour replace ${address} lladdr ${mac} dev ${device} nud permanent`);
    }),
    ...(attachment.fabricIndex === PEERING_FABRIC
      ? peers.flatMap((peer) => {
          const via = fabricAddress(PEERING_FABRIC, peer);
          const to = regionPrefixes(peer);
          return [`route replace ${to.ipv4} via ${via.ipv4}`, `route replace ${to.ipv6} via ${via.ipv6}`];
        })
      : []),
  ];
}
