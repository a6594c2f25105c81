/**
 * The maps of our nftables table from pairs of prefixes to marks. They change with every lease and prefix, element by
 * element, so that the counters and limits of leases keep their state.
 */
import { isIpv6 } from "../../model/address.ts";
import { NFT_TABLE } from "../kernel/marks.ts";
import { hex } from "./outer.ts";
import type { MarkedPrefix, SteeredPair, Steering } from "./steering.ts";

export interface PairMap {
  readonly name: string;
  readonly type: string;
  /** `KEY : MARK` */
  readonly elements: readonly string[];
}

/** All maps with their elements, always in the same order. */
export function pairMaps({
  outbound,
  inbound,
  outboundDestinations,
  inboundDestinations,
}: Steering): readonly PairMap[] {
  return [
    ...ofPairs("outbound", outbound),
    ...ofPairs("inbound", inbound),
    ...ofPrefixes("outbound_destinations", outboundDestinations),
    ...ofPrefixes("inbound_destinations", inboundDestinations),
  ];
}

/** If two rulesets are equal without their pairs, only the maps differ. */
export function withoutPairs(steering: Steering): Steering {
  return { ...steering, outbound: [], inbound: [], outboundDestinations: [], inboundDestinations: [] };
}

/** For `nft -f`: one transaction with the elements that change. */
export function mapChanges(before: Steering, after: Steering): string {
  const known = pairMaps(before);
  const lines = pairMaps(after).flatMap(({ name, elements }, i) => {
    const [old, now] = [new Set(known[i]?.elements), new Set(elements)];
    return [change("delete", name, [...old.difference(now)].map(keyOf)), change("add", name, [...now.difference(old)])];
  });
  return lines.filter((line) => line !== "").join("\n");
}

function change(verb: "add" | "delete", name: string, elements: readonly string[]): string {
  return elements.length === 0 ? "" : `${verb} element inet ${NFT_TABLE} ${name} { ${elements.join(", ")} }`;
}

const keyOf = (element: string): string => element.slice(0, element.lastIndexOf(" : "));

function ofPairs(name: string, pairs: readonly SteeredPair[]): PairMap[] {
  const elements = (six: boolean): string[] =>
    pairs
      .filter((pair) => isIpv6(pair.source) === six && isIpv6(pair.destination) === six)
      .map((pair) => `${pair.source} . ${pair.destination} : ${hex(pair.mark)}`);
  return [
    { name: `${name}4`, type: "ipv4_addr . ipv4_addr : mark", elements: elements(false) },
    { name: `${name}6`, type: "ipv6_addr . ipv6_addr : mark", elements: elements(true) },
  ];
}

function ofPrefixes(name: string, marked: readonly MarkedPrefix[]): PairMap[] {
  const elements = (six: boolean): string[] =>
    marked.filter(({ prefix }) => isIpv6(prefix) === six).map(({ prefix, mark }) => `${prefix} : ${hex(mark)}`);
  return [
    { name: `${name}4`, type: "ipv4_addr : mark", elements: elements(false) },
    { name: `${name}6`, type: "ipv6_addr : mark", elements: elements(true) },
  ];
}
