/** Address prefixes as texts, and as numbers in the contracts' single 128-bit space, which maps IPv4 to ::ffff:a.b.c.d. */
import ipaddr from "ipaddr.js";
import { isIpv6 } from "./address.ts";

const MAPPED = 0xffffn << 32n;

/** @param length 0 to 128; for IPv4, 96 plus the length of the IPv4 prefix. */
export function formatPrefix(network: bigint, length: number): string {
  if (length >= 96 && network >> 32n === 0xffffn) {
    const v4 = Number(network & 0xffff_ffffn);
    return `${[24, 16, 8, 0].map((shift) => (v4 >>> shift) & 255).join(".")}/${length - 96}`;
  }
  const bytes = Array.from({ length: 16 }, (_, i) => Number((network >> BigInt(8 * (15 - i))) & 255n));
  return `${ipaddr.fromByteArray(bytes).toString()}/${length}`;
}

/** Clears host bits. @throws Error if the text is not a prefix. */
export function parsePrefix(text: string): { network: bigint; length: number } {
  const [address, bits] = ipaddr.parseCIDR(text);
  const value = BigInt(`0x${Buffer.from(address.toByteArray()).toString("hex")}`);
  const v4 = address.kind() === "ipv4";
  const length = v4 ? bits + 96 : bits;
  const mask = ((1n << 128n) - 1n) ^ ((1n << BigInt(128 - length)) - 1n);
  return { network: (v4 ? MAPPED | value : value) & mask, length };
}

/** A prefix, or an address as the prefix that contains only this address; null if the text is neither. */
export function toPrefix(text: string): string | null {
  const prefix = text.includes("/") ? text : `${text}/${isIpv6(text) ? 128 : 32}`;
  return ipaddr.isValidCIDR(prefix) ? prefix : null;
}

/** Whether the prefix has no host bits and is written as iproute2 prints it. @throws Error if the text is not a prefix. */
export function isCanonical(prefix: string): boolean {
  const { network, length } = parsePrefix(prefix);
  return prefix === formatPrefix(network, length);
}

/** Whether the two prefixes have an address in common, IPv4 and mapped IPv6 compared as one. */
export function prefixesOverlap(a: string, b: string): boolean {
  const [x, y] = [parsePrefix(a), parsePrefix(b)];
  const shift = BigInt(128 - Math.min(x.length, y.length));
  return x.network >> shift === y.network >> shift;
}

/** Whether every address of `inner` is in `outer`; an IPv6 prefix never contains an IPv4 one. */
export const contains = (outer: string, inner: string): boolean =>
  outer === inner || isInside(networkOf(inner), networkOf(outer));

/** Prefixes that are parsed once and searched often. */
export class PrefixSet {
  readonly #networks: readonly Network[];

  constructor(prefixes: readonly string[]) {
    this.#networks = prefixes.map(networkOf);
  }

  /** Whether one of the prefixes contains every address of this one. */
  contains(prefix: string): boolean {
    if (this.#networks.length === 0) return false;
    const inner = networkOf(prefix);
    return this.#networks.some((outer) => isInside(inner, outer));
  }
}

/** For each prefix the indices of those that contain it, widest first; of equal prefixes the earlier contains the later. */
export function enclosing(prefixes: readonly string[]): readonly (readonly number[])[] {
  const networks = prefixes.map(networkOf);
  const at = (index: number): Network => networks[index] as Network;
  const order = [...networks.keys()].sort((a, b) => compareNetworks(at(a), at(b)) || a - b);
  const found: number[][] = prefixes.map(() => []);
  const open: number[] = [];
  for (const index of order) {
    while (open.length > 0 && !isInside(at(index), at(open.at(-1) as number))) open.pop();
    found[index] = [...open];
    open.push(index);
  }
  return found;
}

interface Network {
  readonly isIpv6: boolean;
  readonly network: bigint;
  readonly length: number;
}

function networkOf(prefix: string): Network {
  return { isIpv6: isIpv6(prefix), ...parsePrefix(prefix) };
}

function isInside(inner: Network, outer: Network): boolean {
  const hostBits = BigInt(128 - outer.length);
  return (
    outer.isIpv6 === inner.isIpv6 &&
    inner.length >= outer.length &&
    inner.network >> hostBits === outer.network >> hostBits
  );
}

/** Sorts a prefix directly before all that it contains. */
function compareNetworks(a: Network, b: Network): number {
  if (a.isIpv6 !== b.isIpv6) return a.isIpv6 ? 1 : -1;
  if (a.network !== b.network) return a.network < b.network ? -1 : 1;
  return a.length - b.length;
}
