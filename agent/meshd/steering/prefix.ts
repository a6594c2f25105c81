/** Prefixes as sets of addresses. */
import ipaddr from "ipaddr.js";
import { parsePrefix } from "../../model/prefix.ts";

interface Block {
  readonly isIpv6: boolean;
  readonly network: bigint;
  readonly length: number;
}

/** Whether every address of `inner` is in `outer`. */
export const contains = (outer: string, inner: string): boolean =>
  outer === inner || holds(blockOf(outer), blockOf(inner));

/** Read once and asked often. */
export class PrefixSet {
  readonly #blocks: readonly Block[];

  constructor(prefixes: readonly string[]) {
    this.#blocks = prefixes.map(blockOf);
  }

  /** Whether one of them contains all of it. */
  contains(prefix: string): boolean {
    if (this.#blocks.length === 0) return false;
    const block = blockOf(prefix);
    return this.#blocks.some((each) => holds(each, block));
  }
}

/** For each prefix the places of those that contain it, the widest first; of equal ones the earlier contains the later. */
export function enclosing(prefixes: readonly string[]): readonly (readonly number[])[] {
  const blocks = prefixes.map(blockOf);
  const at = (index: number): Block => blocks[index] as Block;
  const order = [...blocks.keys()].sort((a, b) => isBefore(at(a), at(b)) || a - b);
  const found: number[][] = prefixes.map(() => []);
  const open: number[] = [];
  for (const index of order) {
    while (open.length > 0 && !holds(at(open.at(-1) as number), at(index))) open.pop();
    found[index] = [...open];
    open.push(index);
  }
  return found;
}

function blockOf(prefix: string): Block {
  return { isIpv6: prefix.includes(":"), ...parsePrefix(prefix) };
}

function holds(outer: Block, inner: Block): boolean {
  const hostBits = BigInt(128 - outer.length);
  return (
    outer.isIpv6 === inner.isIpv6 &&
    inner.length >= outer.length &&
    inner.network >> hostBits === outer.network >> hostBits
  );
}

/** Whatever contains something stands before it, and nothing else between them but what it contains, too. */
function isBefore(a: Block, b: Block): number {
  if (a.isIpv6 !== b.isIpv6) return a.isIpv6 ? 1 : -1;
  if (a.network !== b.network) return a.network < b.network ? -1 : 1;
  return a.length - b.length;
}

/** Without host bits, and as `ip` prints it: what is not would be read back as somebody else's. */
export function isCanonical(prefix: string): boolean {
  const [address, bits] = ipaddr.parseCIDR(prefix);
  const network =
    address.kind() === "ipv4"
      ? ipaddr.IPv4.networkAddressFromCIDR(prefix).toString()
      : ipaddr.IPv6.networkAddressFromCIDR(prefix).toString();
  return prefix === `${network}/${bits}`;
}
