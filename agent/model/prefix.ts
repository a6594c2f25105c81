/** Address prefixes between their text and the chain's one space of 128 bits, in which IPv4 stands mapped (::ffff:a.b.c.d). */
import ipaddr from "ipaddr.js";

const MAPPED = 0xffffn << 32n;

export function formatPrefix(network: bigint, length: number): string {
  if (length >= 96 && network >> 32n === 0xffffn) {
    const v4 = Number(network & 0xffff_ffffn);
    return `${[24, 16, 8, 0].map((shift) => (v4 >>> shift) & 255).join(".")}/${length - 96}`;
  }
  const bytes = Array.from({ length: 16 }, (_, i) => Number((network >> BigInt(8 * (15 - i))) & 255n));
  return `${ipaddr.fromByteArray(bytes).toString()}/${length}`;
}

/** @throws Error if the text is no prefix; host bits are cleared. */
export function parsePrefix(text: string): { network: bigint; length: number } {
  const [address, bits] = ipaddr.parseCIDR(text);
  const value = BigInt(`0x${Buffer.from(address.toByteArray()).toString("hex")}`);
  const v4 = address.kind() === "ipv4";
  const length = v4 ? bits + 96 : bits;
  const mask = ((1n << 128n) - 1n) ^ ((1n << BigInt(128 - length)) - 1n);
  return { network: (v4 ? MAPPED | value : value) & mask, length };
}

export function prefixesOverlap(a: string, b: string): boolean {
  const [x, y] = [parsePrefix(a), parsePrefix(b)];
  const shift = BigInt(128 - Math.min(x.length, y.length));
  return x.network >> shift === y.network >> shift;
}
