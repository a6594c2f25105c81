/** The commands that configure a WireGuard device as one end of a link: keys, address, MTU, *up*. Pure. */
import { isIpv6 } from "../../model/address.ts";

export interface TunnelConfig {
  readonly privateKey: string;
  readonly listenPort: number;
  readonly mark: number;
  readonly peerPublicKey: string;
  readonly presharedKey: string;
  readonly endpoint: { readonly address: string; readonly port: number };
}

/** For `wg setconf`. Contains secrets: must not be in an argument list or a log. */
export function wireguardConfig(config: TunnelConfig): string {
  return `[Interface]
PrivateKey = ${config.privateKey}
ListenPort = ${config.listenPort}
FwMark = ${config.mark}
[Peer]
PublicKey = ${config.peerPublicKey}
PresharedKey = ${config.presharedKey}
AllowedIPs = 0.0.0.0/0, ::/0
Endpoint = ${endpointText(config.endpoint)}
`;
}

/** As `wg` reads it: ADDRESS:PORT, an IPv6 address in brackets. */
export function endpointText(endpoint: { readonly address: string; readonly port: number }): string {
  return isIpv6(endpoint.address) ? `[${endpoint.address}]:${endpoint.port}` : `${endpoint.address}:${endpoint.port}`;
}

/**
 * Without an IPv4 address even a loose reverse-path filter drops all incoming IPv4. This one is local already, has no
 * connected route, and no routing daemon announces it.
 */
const LOOPBACK_IPV4_ADDRESS = "127.69.0.1/32";

/** Only link-local and host-scope addresses: a routable one would leak into the region's BGP as a connected route. */
export function bringUpLines(device: string, address: string, mtu: number): readonly string[] {
  return [
    `link set dev ${device} addrgenmode none mtu ${mtu}`,
    `address replace ${address}/64 dev ${device} nodad`,
    `address replace ${LOOPBACK_IPV4_ADDRESS} dev ${device} scope host`,
    `link set dev ${device} up`,
  ];
}
