import assert from "node:assert/strict";
import fc from "fast-check";
import { formatPrefix, parsePrefix, prefixesOverlap } from "../../agent/model/prefix.ts";

const ipv4 = fc
  .tuple(fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }), fc.integer({ min: 0, max: 32 }))
  .map(([bytes, bits]) => `${bytes.join(".")}/${bits}`);
const ipv6 = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }),
    fc.integer({ min: 0, max: 128 }),
  )
  .map(([words, bits]) => `${words.map((word) => word.toString(16)).join(":")}/${bits}`);

describe("prefixes", () => {
  it("IPv4 prefixes are mapped into the IPv6 space, without host bits", () => {
    assert.deepEqual(parsePrefix("10.1.2.3/8"), { network: (0xffffn << 32n) | 0x0a00_0000n, length: 104 });
    assert.equal(formatPrefix((0xffffn << 32n) | 0x0a00_0000n, 104), "10.0.0.0/8");
  });

  it("formatting and parsing a prefix gives the same prefix", () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (text) => {
        const { network, length } = parsePrefix(text);
        assert.deepEqual(parsePrefix(formatPrefix(network, length)), { network, length });
      }),
    );
  });

  it("two prefixes overlap if and only if one contains the other's first address", () => {
    const holds = (outer: string, inner: string) => {
      const [a, b] = [parsePrefix(outer), parsePrefix(inner)];
      return b.network >= a.network && b.network < a.network + (1n << BigInt(128 - a.length));
    };
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), fc.oneof(ipv4, ipv6), (a, b) => {
        assert.equal(prefixesOverlap(a, b), holds(a, b) || holds(b, a));
      }),
    );
    assert.equal(prefixesOverlap("10.0.0.0/8", "10.255.0.0/16"), true);
    assert.equal(prefixesOverlap("10.0.0.0/8", "11.0.0.0/8"), false);
  });

  it("a text that is not a prefix is refused", () => {
    for (const bad of ["", "10.0.0.0", "10.0.0.0/33", "300.0.0.0/8", "::/129", "10.0.0.0/8; reboot"])
      assert.throws(() => parsePrefix(bad), bad);
  });
});
