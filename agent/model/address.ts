/** IP addresses as texts. */
import ipaddr from "ipaddr.js";
import { z } from "zod";

/** IPv4 or IPv6, normalised: two forms of one address would be two routes. */
export const ipAddress = z.union([z.ipv4(), z.ipv6()]).overwrite(canonicalAddress);

/** Whether a valid address or prefix is of IPv6; a mapped IPv4 address (::ffff:a.b.c.d) is. */
export const isIpv6 = (addressOrPrefix: string): boolean => addressOrPrefix.includes(":");

/** Whether two valid addresses or prefixes are of one IP family. */
export const isSameFamily = (a: string, b: string): boolean => isIpv6(a) === isIpv6(b);

/** The form that iproute2 prints. @throws Error if the text is not an address. */
export function canonicalAddress(text: string): string {
  const address = ipaddr.parse(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()
    ? `::ffff:${address.toIPv4Address()}`
    : address.toString();
}

/** The canonical form; a mapped IPv4 address (::ffff:a.b.c.d) becomes IPv4. Null if the text is not an address. */
export function unmappedAddress(text: string): string | null {
  return ipaddr.isValid(text) ? ipaddr.process(text).toString() : null;
}
