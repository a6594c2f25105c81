/** IP addresses as texts. */
import ipaddr from "ipaddr.js";
import { z } from "zod";

/** IPv4 or IPv6 in the one form that the kernel's tools print: two forms of one address would be two wanted routes. */
export const ipAddress = z.union([z.ipv4(), z.ipv6()]).overwrite((text) => {
  const address = ipaddr.parse(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()
    ? `::ffff:${address.toIPv4Address()}`
    : address.toString();
});
