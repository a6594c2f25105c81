/** Where a message comes from as far as the network itself says, before anything signed is looked at. */
import type { Socket } from "node:net";
import { unmappedAddress } from "../model/address.ts";
import type { EniEnd } from "../model/eni.ts";
import type { RegionId } from "../model/ids.ts";
import { formatPrefix, parsePrefix } from "../model/prefix.ts";

export interface Origin {
  /** What messages are counted by: whoever has one of its addresses has them all. */
  readonly source: string;
  /** The region at the other end of the ENI that it came through, "nobody" where that end is not known; null: through none. */
  readonly behind: RegionId | "nobody" | null;
}

export function originOf(
  { localAddress, remoteAddress }: Pick<Socket, "localAddress" | "remoteAddress">,
  enis: readonly EniEnd[],
): Origin {
  // A connection that is gone already has neither.
  if (localAddress === undefined || remoteAddress === undefined) return { source: "", behind: "nobody" };
  const [own, other] = [withoutScope(localAddress), withoutScope(remoteAddress)];
  if (!isLinkLocal(own)) return { source: sourceOf(other), behind: null };
  // The addresses of an ENI's ends are made from its id: ours names it.
  const end = enis.find(({ ownAddress }) => ownAddress === own);
  return { source: own, behind: end?.peerAddress === other ? end.peer : "nobody" };
}

/** An IPv4 address, also where it comes mapped; of IPv6 the /64, all of which a single host has. */
function sourceOf(address: string): string {
  const plain = unmappedAddress(address);
  if (plain === null) return address;
  return plain.includes(":") ? formatPrefix(parsePrefix(`${plain}/64`).network, 64) : plain;
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/.test(address);
}

function withoutScope(address: string): string {
  return address.replace(/%.*$/, "");
}
