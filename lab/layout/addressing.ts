/**
 * Addresses in the lab, computed from the number of a region in the topology (1, 2, 3 …) and that of a fabric (0 is the
 * standing peering). Nothing is allocated, so no address is given out twice.
 */

/** Device names, the same in every region. */
export const LAN_DEVICE = "lan0";
export const PEERING_DEVICE = "up0";
export const MANAGEMENT_DEVICE = "mgmt0";

export const PEERING_FABRIC = 0;
/** More fabrics would need more documentation networks, see `FABRIC_NETWORKS`. */
export const MAX_FABRICS = 3;
export const MAX_REGIONS = 63;

/** The peering runs over the benchmark network (RFC 2544), the other fabrics over the documentation ones (RFC 5737). */
const FABRIC_NETWORKS = ["198.18.0", "192.0.2", "198.51.100", "203.0.113"] as const;

export function fabricDevice(fabric: number): string {
  return fabric === PEERING_FABRIC ? PEERING_DEVICE : `ix${fabric - 1}`;
}

export function fabricAddress(fabric: number, region: number): { ipv4: string; ipv6: string } {
  const network = FABRIC_NETWORKS[fabric];
  if (network === undefined) throw new RangeError(`fabric ${fabric}: the lab has ${FABRIC_NETWORKS.length}`);
  return { ipv4: `${network}.${10 + region}`, ipv6: `fd65:7068:ff${hex2(fabric)}::${(10 + region).toString(16)}` };
}

/** 02, "ep", 0, fabric, region; wire.c forwards by it. */
export function fabricMac(fabric: number, region: number): string {
  return `02:65:70:00:${hex2(fabric)}:${hex2(region)}`;
}

/** The prefixes that the region registers on chain. 65 70 68 in the unique local prefix is "eph". */
export function regionPrefixes(region: number): { ipv4: string; ipv6: string } {
  return { ipv4: `10.${region}.0.0/16`, ipv6: `fd65:7068:${region.toString(16)}::/48` };
}

export function routerLanAddress(region: number): { ipv4: string; ipv6: string } {
  return { ipv4: `10.${region}.0.1`, ipv6: `fd65:7068:${region.toString(16)}::1` };
}

export function hostAddress(region: number): { ipv4: string; ipv6: string } {
  return { ipv4: `10.${region}.0.10`, ipv6: `fd65:7068:${region.toString(16)}::10` };
}

/** The management LAN carries the chain's RPC, but no traffic of the regions. */
export const CORE_MANAGEMENT_ADDRESS = "172.31.0.1";
export function managementAddress(region: number): string {
  return `172.31.0.${10 + region}`;
}

function hex2(value: number): string {
  return value.toString(16).padStart(2, "0");
}
