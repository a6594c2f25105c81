/** Where a message comes from by the network alone, before any signature is checked. */
import type { Socket } from "node:net";
import { isIpv6, unmappedAddress } from "../model/address.ts";
import type { EniEnd } from "../model/eni.ts";
import type { RegionId } from "../model/ids.ts";
import { formatPrefix, parsePrefix } from "../model/prefix.ts";

export interface Sender {
  /** What the rate limit counts by: an address, or a network all of whose addresses one host has. */
  readonly address: string;
  /** The region at the other end of the ENI that the message came through; null if it came through none. */
  readonly eniPeer: RegionId | "unknown" | null;
}

/** Tells by the addresses of a connection who sent a message, and through which ENI. */
export function senderOf(
  { localAddress, remoteAddress }: Pick<Socket, "localAddress" | "remoteAddress">,
  enis: readonly EniEnd[],
): Sender {
  // A closed connection has neither address.
  if (localAddress === undefined || remoteAddress === undefined) return { address: "", eniPeer: "unknown" };
  const [own, other] = [withoutScope(localAddress), withoutScope(remoteAddress)];
  if (!isLinkLocal(own)) return { address: countedAddress(other), eniPeer: null };
  // Both addresses are derived from the link's id: ours tells which ENI it is.
  const end = enis.find(({ ownAddress }) => ownAddress === own);
  return { address: own, eniPeer: end?.peerAddress === other ? end.peer : "unknown" };
}

/** An IPv4 address, also if it is mapped into IPv6; of IPv6 the /64, since one host has all of it. */
function countedAddress(address: string): string {
  const plain = unmappedAddress(address);
  if (plain === null) return address;
  return isIpv6(plain) ? formatPrefix(parsePrefix(`${plain}/64`).network, 64) : plain;
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/.test(address);
}

function withoutScope(address: string): string {
  return address.replace(/%.*$/, "");
}
