/**
 * What has to be made for a topology, as data: namespaces, sysctls and the lines for `ip -batch` inside each. Pure, so
 * that bringing an interface up again after a fault uses the very lines that made it.
 */
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
  /** Run after the fabrics have put their devices into the routers, core first, then routers, then hosts. */
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

/** Duplicate address detection would keep every IPv6 address waiting for a second. */
const NO_ADDRESS_PROBING = ["net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"];

/** A router as a careful operator leaves it: reverse-path filters strict, which is what a mesh has to live with. */
const ROUTER_SYSCTLS = [
  ...NO_ADDRESS_PROBING,
  "net.ipv4.ip_forward=1",
  "net.ipv6.conf.all.forwarding=1",
  "net.ipv4.conf.all.rp_filter=1",
  "net.ipv4.conf.default.rp_filter=1",
];

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
    sysctls: NO_ADDRESS_PROBING,
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
    sysctls: NO_ADDRESS_PROBING,
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

/** Everything about one fabric's device that the kernel forgets when the device goes down. */
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
    // A real underlay's gateway is always in the neighbour table; here the neighbours are an ocean away, and asking
    // for them would put a round trip in front of every first packet.
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
