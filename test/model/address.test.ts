import assert from "node:assert/strict";
import { ipAddress, isIpv6, isSameFamily } from "../../agent/model/address.ts";

describe("model/address", () => {
  it("has one form, the kernel's, however somebody wrote it; what is none is refused", () => {
    for (const [written, form] of [
      ["192.0.2.7", "192.0.2.7"],
      ["2001:DB8:0::7", "2001:db8::7"],
      ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["::ffff:c000:207", "::ffff:192.0.2.7"],
    ] as const)
      assert.equal(ipAddress.parse(written), form);
    for (const none of ["192.0.2.256", "fe80::1%eth0", "", "host"]) assert.ok(!ipAddress.safeParse(none).success, none);
  });

  it("tells the family of addresses and prefixes; a mapped IPv4 address is of IPv6", () => {
    for (const six of ["2001:db8::7", "2001:db8::/32", "::/0", "::ffff:192.0.2.7"]) assert.ok(isIpv6(six), six);
    for (const four of ["192.0.2.7", "192.0.2.0/24", "0.0.0.0/0"]) assert.ok(!isIpv6(four), four);
    assert.ok(isSameFamily("2001:db8::7", "::/0") && isSameFamily("192.0.2.7", "0.0.0.0/0"));
    assert.ok(!isSameFamily("192.0.2.7", "::/0") && !isSameFamily("::/0", "192.0.2.7"));
  });
});
