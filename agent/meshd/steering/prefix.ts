/** Prefixes as sets of addresses. */
import ipaddr from "ipaddr.js";

/** Whether every address of `inner` is in `outer`. */
export function contains(outer: string, inner: string): boolean {
  if (outer === inner) return true;
  const [outerAddress, outerBits] = ipaddr.parseCIDR(outer);
  const [innerAddress, innerBits] = ipaddr.parseCIDR(inner);
  if (outerAddress.kind() !== innerAddress.kind() || innerBits < outerBits) return false;
  return innerAddress.match(outerAddress, outerBits);
}

export const overlap = (a: string, b: string): boolean => contains(a, b) || contains(b, a);

/** Without host bits, and as `ip` prints it: what is not would be read back as somebody else's. */
export function isCanonical(prefix: string): boolean {
  const [address, bits] = ipaddr.parseCIDR(prefix);
  const network =
    address.kind() === "ipv4"
      ? ipaddr.IPv4.networkAddressFromCIDR(prefix).toString()
      : ipaddr.IPv6.networkAddressFromCIDR(prefix).toString();
  return prefix === `${network}/${bits}`;
}
