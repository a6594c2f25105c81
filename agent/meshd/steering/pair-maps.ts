/**
 * The maps of our nftables table that say which pairs go where. They change whenever a lease or a prefix comes or goes,
 * and are changed element by element, so that nothing else is touched: the counters and limits of leases go on.
 */
import { NFT_TABLE } from "../kernel/marks.ts";
import { hex } from "./outer.ts";
import type { MarkedPrefix, SteeredPair, Steering } from "./steering.ts";

export interface PairMap {
  readonly name: string;
  readonly type: string;
  /** `KEY : MARK` */
  readonly elements: readonly string[];
}

export function pairMaps({ outward, arriving, far, errorsIn }: Steering): readonly PairMap[] {
  return [
    ...ofPairs("outward", outward),
    ...ofPairs("arriving", arriving),
    ...ofPrefixes("far", far),
    ...ofPrefixes("errors_in", errorsIn),
  ];
}

/** Everything else of the table: where two of these are equal, only the maps differ. */
export function withoutPairs(steering: Steering): Steering {
  return { ...steering, outward: [], arriving: [], far: [], errorsIn: [] };
}

/** For `nft -f`: one transaction, in which an element that stays is not mentioned. */
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
  const elements = (sixes: boolean): string[] =>
    pairs
      .filter((pair) => pair.source.includes(":") === sixes && pair.destination.includes(":") === sixes)
      .map((pair) => `${pair.source} . ${pair.destination} : ${hex(pair.mark)}`);
  return [
    { name: `${name}4`, type: "ipv4_addr . ipv4_addr : mark", elements: elements(false) },
    { name: `${name}6`, type: "ipv6_addr . ipv6_addr : mark", elements: elements(true) },
  ];
}

function ofPrefixes(name: string, marked: readonly MarkedPrefix[]): PairMap[] {
  const elements = (sixes: boolean): string[] =>
    marked.filter(({ prefix }) => prefix.includes(":") === sixes).map(({ prefix, mark }) => `${prefix} : ${hex(mark)}`);
  return [
    { name: `${name}4`, type: "ipv4_addr : mark", elements: elements(false) },
    { name: `${name}6`, type: "ipv6_addr : mark", elements: elements(true) },
  ];
}
