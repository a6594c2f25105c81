/** What turns a bare WireGuard device into an end of a link: keys, address, MTU, *up*. Text made here, run elsewhere. */
import { isIPv6 } from "node:net";

export interface TunnelConfig {
  readonly privateKey: string;
  readonly listenPort: number;
  readonly mark: number;
  readonly peerPublicKey: string;
  readonly presharedKey: string;
  readonly endpoint: { readonly address: string; readonly port: number };
}

/** For `wg setconf`. Holds secrets: never in an argument list, never in a log. */
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

export function endpointText(endpoint: { readonly address: string; readonly port: number }): string {
  return isIPv6(endpoint.address) ? `[${endpoint.address}]:${endpoint.port}` : `${endpoint.address}:${endpoint.port}`;
}

/**
 * Without any IPv4 address the kernel's reverse-path filter drops all IPv4 that comes in, even where it is loose. This
 * one is local already, has no connected route, and no routing daemon announces it.
 */
const SOME_IPV4_ADDRESS = "127.69.0.1/32";

/** No address is invented, none is routable: a routable one would leak into the region's BGP as a connected route. */
export function bringUpLines(device: string, address: string, mtu: number): readonly string[] {
  return [
    `link set dev ${device} addrgenmode none mtu ${mtu}`,
    `address replace ${address}/64 dev ${device} nodad`,
    `address replace ${SOME_IPV4_ADDRESS} dev ${device} scope host`,
    `link set dev ${device} up`,
  ];
}
