/**
 * Which links a mesh has (ROUTING.md, section 2). Every lease is a link; a topology only adds links between sellers that
 * share a buyer. A pure function of the leases on chain and of the round trips that the opener's agent published, so
 * that every party recomputes and checks it.
 */
import { encodeAbiParameters, keccak256 } from "viem";
import type { EventKind } from "../model/event.ts";
import type { LinkId, MeshId, RegionId } from "../model/ids.ts";
import type { RequestedTopology, TopologyMode } from "../model/topology-mode.ts";
import { shortestCycle } from "./cycle.ts";

export interface LeaseEdge {
  readonly buyer: RegionId;
  readonly seller: RegionId;
  readonly mbps: number;
}

/** Measured round trip between two regions, lower id first. */
export interface MeasuredPair {
  readonly a: RegionId;
  readonly b: RegionId;
  readonly rttMicros: number;
}

export interface AddedLink {
  readonly a: RegionId;
  readonly b: RegionId;
  /** What each buyer that both serve may send over it: the smaller of its two leases. */
  readonly shares: readonly { readonly buyer: RegionId; readonly rateMbps: number }[];
}

export interface Topology {
  readonly mode: TopologyMode;
  readonly reason: string;
  readonly added: readonly AddedLink[];
}

export interface TopologyRequest {
  readonly mode: RequestedTopology;
  readonly kind: EventKind;
  readonly leases: readonly LeaseEdge[];
  readonly pairs: readonly MeasuredPair[];
  readonly latencyBoundMicros: number;
}

export function planTopology(request: TopologyRequest): Topology {
  const pairOf = pairFinder(request.pairs);
  return planWith(request, (a, b) => pairOf(a, b)?.rttMicros);
}

/** The pairs that planning looks at: with these alone it comes to the same. */
export function pairsThatCount(request: TopologyRequest): MeasuredPair[] {
  const pairOf = pairFinder(request.pairs);
  const asked = new Set<MeasuredPair>();
  planWith(request, (a, b) => {
    const pair = pairOf(a, b);
    if (pair) asked.add(pair);
    return pair?.rttMicros;
  });
  return request.pairs.filter((pair) => asked.has(pair));
}

function planWith(request: TopologyRequest, rtt: RoundTrip): Topology {
  const within = (a: RegionId, b: RegionId) => (rtt(a, b) ?? Number.POSITIVE_INFINITY) <= request.latencyBoundMicros;
  const participants = new Set(request.leases.flatMap((lease) => [lease.buyer, lease.seller])).size;
  const { mode, relaysOnly, reason } = chooseMode(request.mode, request.kind, participants);

  const wanted = new Map<string, readonly [RegionId, RegionId]>();
  for (const [buyer, sellers] of sellersByBuyer(request.leases)) {
    const pairs = relaysOnly
      ? bestRelays(buyer, sellers, rtt)
      : mode === "ring"
        ? ringPairs(sellers, rtt)
        : mode === "full"
          ? allPairs(sellers)
          : [];
    for (const [a, b] of pairs) if (within(a, b)) wanted.set(`${a}-${b}`, [a, b]);
  }
  const added = [...wanted.values()]
    .filter(([a, b]) => !request.leases.some((lease) => samePair([lease.buyer, lease.seller], [a, b])))
    .sort(([a, b], [c, d]) => a - c || b - d)
    .map(([a, b]) => ({ a, b, shares: sharesOf(a, b, request.leases) }));
  return { mode, reason, added };
}

/** The id of an added link: the same at both ends, in every process. */
export function addedLinkId(mesh: MeshId, a: RegionId, b: RegionId): LinkId {
  const [low, high] = a < b ? [a, b] : [b, a];
  return keccak256(
    encodeAbiParameters([{ type: "uint256" }, { type: "uint32" }, { type: "uint32" }], [BigInt(mesh), low, high]),
  ) as LinkId;
}

function chooseMode(
  mode: RequestedTopology,
  kind: EventKind,
  participants: number,
): { mode: TopologyMode; relaysOnly: boolean; reason: string } {
  if (mode !== "auto") return { mode, relaysOnly: false, reason: `${mode}: asked for` };
  if (kind === "rollout")
    return {
      mode: "star",
      relaysOnly: true,
      reason: "auto: a roll-out flows from one hub; the two best relays are linked",
    };
  if (kind === "surge" && participants <= 8)
    return {
      mode: "full",
      relaysOnly: false,
      reason: `auto: a surge among ${participants} participants (at most 8) gets every pair`,
    };
  return {
    mode: "ring",
    relaysOnly: false,
    reason: `auto: ${kind} among ${participants} participants must survive one cut`,
  };
}

function sellersByBuyer(leases: readonly LeaseEdge[]): Map<RegionId, RegionId[]> {
  const sellers = new Map<RegionId, RegionId[]>();
  for (const { buyer, seller } of leases) {
    const known = sellers.get(buyer) ?? [];
    if (!known.includes(seller)) known.push(seller);
    sellers.set(buyer, known);
  }
  for (const list of sellers.values()) list.sort((a, b) => a - b);
  return sellers;
}

function ringPairs(sellers: readonly RegionId[], rtt: RoundTrip): (readonly [RegionId, RegionId])[] {
  if (sellers.length < 2) return [];
  const cycle = shortestCycle(sellers.length, (i, j) => rtt(sellers[i]!, sellers[j]!) ?? 10_000_000);
  const pairs = cycle.map((at, k) => ordered(sellers[at]!, sellers[cycle[(k + 1) % cycle.length]!]!));
  return sellers.length === 2 ? pairs.slice(0, 1) : pairs;
}

function bestRelays(buyer: RegionId, sellers: readonly RegionId[], rtt: RoundTrip): (readonly [RegionId, RegionId])[] {
  const [first, second] = [...sellers].sort((a, b) => (rtt(buyer, a) ?? 1e9) - (rtt(buyer, b) ?? 1e9) || a - b);
  return first !== undefined && second !== undefined ? [ordered(first, second)] : [];
}

function allPairs(sellers: readonly RegionId[]): (readonly [RegionId, RegionId])[] {
  return sellers.flatMap((a, i) => sellers.slice(i + 1).map((b) => ordered(a, b)));
}

function sharesOf(a: RegionId, b: RegionId, leases: readonly LeaseEdge[]): AddedLink["shares"] {
  const soldTo = (seller: RegionId, buyer: RegionId) =>
    leases.filter((l) => l.seller === seller && l.buyer === buyer).reduce((sum, l) => sum + l.mbps, 0);
  return [...new Set(leases.map((l) => l.buyer))]
    .sort((x, y) => x - y)
    .map((buyer) => ({ buyer, rateMbps: Math.min(soldTo(a, buyer), soldTo(b, buyer)) }))
    .filter((share) => share.rateMbps > 0);
}

type RoundTrip = (a: RegionId, b: RegionId) => number | undefined;

function pairFinder(pairs: readonly MeasuredPair[]): (a: RegionId, b: RegionId) => MeasuredPair | undefined {
  const known = new Map<RegionId, Map<RegionId, MeasuredPair>>();
  for (const pair of pairs) {
    const [low, high] = ordered(pair.a, pair.b);
    const above = known.get(low) ?? new Map<RegionId, MeasuredPair>();
    known.set(low, above.set(high, pair));
  }
  return (a, b) => (a < b ? known.get(a)?.get(b) : known.get(b)?.get(a));
}

function ordered(a: RegionId, b: RegionId): readonly [RegionId, RegionId] {
  return a < b ? [a, b] : [b, a];
}

function samePair([a, b]: readonly [RegionId, RegionId], [c, d]: readonly [RegionId, RegionId]): boolean {
  return (a === c && b === d) || (a === d && b === c);
}
