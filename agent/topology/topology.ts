/**
 * Which links a mesh has (ROUTING.md, section 2). Every lease is a link; a topology only adds links between sellers of
 * the same buyer. A pure function of the leases on chain and of the published round trips, so that every participant
 * computes and checks it.
 */
import { encodeAbiParameters, keccak256 } from "viem";
import type { EventKind } from "../model/event.ts";
import type { LinkId, MeshId, RegionId } from "../model/ids.ts";
import type { RequestedTopology, TopologyMode } from "../model/topology-mode.ts";
import { type NodePair, planChords } from "./chords.ts";
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
  /** What each buyer of both regions may send over it: the smaller of its two leases. */
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

/** The links to add to those of the leases, and why. */
export function planTopology(request: TopologyRequest): Topology {
  const pairOf = pairFinder(request.pairs);
  return planWith(request, (a, b) => pairOf(a, b)?.rttMicros);
}

/** The pairs that the plan depends on: from these alone the same links are planned. */
export function relevantPairs(request: TopologyRequest): MeasuredPair[] {
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
  const { leases, latencyBoundMicros } = request;
  const leased = new Set(leases.map(({ buyer, seller }) => ordered(buyer, seller).join()));
  const mayLink = ([a, b]: RegionPair) =>
    (rtt(a, b) ?? Number.POSITIVE_INFINITY) <= latencyBoundMicros && !leased.has(ordered(a, b).join());
  const participants = new Set(leases.flatMap((lease) => [lease.buyer, lease.seller])).size;
  const { mode, relaysOnly, reason } = chooseMode(request.mode, request.kind, participants);

  const added = new Map<string, RegionPair>();
  for (const [buyer, sellers] of sellersByBuyer(leases)) {
    const pairs = relaysOnly
      ? bestRelays(buyer, sellers, rtt)
      : mode === "ring"
        ? ringPairs(sellers, rtt)
        : mode === "full"
          ? allPairs(sellers)
          : [];
    for (const pair of pairs) if (mayLink(pair)) added.set(pair.join(), pair);
  }
  const chords =
    request.mode === "auto" && mode === "ring" ? addChords(request, added, mayLink, rtt, participants) : [];
  return {
    mode,
    reason: [reason, ...chords].join("; "),
    added: [...added.values()]
      .sort(([a, b], [c, d]) => a - c || b - d)
      .map(([a, b]) => ({ a, b, shares: sharesOf(a, b, leases) })),
  };
}

/** Adds chords until every link has a loop-free alternate, and tells what it did. */
function addChords(
  { leases, latencyBoundMicros }: TopologyRequest,
  added: Map<string, RegionPair>,
  mayLink: (pair: RegionPair) => boolean,
  rtt: RoundTrip,
  maxChords: number,
): string[] {
  const ringSize = added.size;
  for (;;) {
    const sizeBefore = added.size;
    let [uncovered, coverable] = [0, 0];
    for (const [buyer, sellers] of sellersByBuyer(leases)) {
      const nodes = [buyer, ...sellers];
      const regionsOf = ([i, j]: NodePair) => ordered(nodes[i]!, nodes[j]!);
      const isAdded = (pair: NodePair) => added.has(regionsOf(pair).join());
      const numbers = sellers.map((_, i) => i + 1);
      const allowed = allPairs(numbers).filter((pair) => mayLink(regionsOf(pair)));
      const plan = planChords({
        nodes: nodes.length,
        links: [...numbers.map((number) => [0, number] as const), ...allowed.filter(isAdded)],
        candidates: allowed.filter((pair) => !isAdded(pair)),
        maxChords: maxChords - (added.size - ringSize),
        // A leased link exists even if nobody measured it.
        roundTrip: (i, j) => Math.max(1, rtt(nodes[i]!, nodes[j]!) ?? latencyBoundMicros),
      });
      for (const pair of plan.added) added.set(regionsOf(pair).join(), regionsOf(pair));
      uncovered += plan.uncovered;
      coverable += plan.coverable;
    }
    // One buyer's chord is a link for another buyer as well: done when no buyer adds any.
    if (added.size === sizeBefore) return [chordText(added.size - ringSize, uncovered, coverable, maxChords)];
  }
}

function chordText(chords: number, uncovered: number, coverable: number, maxChords: number): string {
  const added = chords === 0 ? "no chord added" : chords === 1 ? "1 chord added" : `${chords} chords added`;
  if (uncovered === 0) return `${added}, every link has a loop-free alternate`;
  const limit = coverable > 0 ? `, ${coverable} of them because at most ${maxChords} chords are added` : "";
  return `${added}, links without a loop-free alternate: ${uncovered}${limit}`;
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
  // Chords are planned for one buyer after the other: in the same order everywhere.
  return new Map([...sellers].sort(([a], [b]) => a - b));
}

function ringPairs(sellers: readonly RegionId[], rtt: RoundTrip): RegionPair[] {
  if (sellers.length < 2) return [];
  const cycle = shortestCycle(sellers.length, (i, j) => rtt(sellers[i]!, sellers[j]!) ?? 10_000_000);
  const pairs = cycle.map((at, k) => ordered(sellers[at]!, sellers[cycle[(k + 1) % cycle.length]!]!));
  return sellers.length === 2 ? pairs.slice(0, 1) : pairs;
}

function bestRelays(buyer: RegionId, sellers: readonly RegionId[], rtt: RoundTrip): RegionPair[] {
  const [first, second] = [...sellers].sort((a, b) => (rtt(buyer, a) ?? 1e9) - (rtt(buyer, b) ?? 1e9) || a - b);
  return first !== undefined && second !== undefined ? [ordered(first, second)] : [];
}

function allPairs<Id extends number>(ids: readonly Id[]): (readonly [Id, Id])[] {
  return ids.flatMap((a, i) => ids.slice(i + 1).map((b) => [a, b] as const));
}

function sharesOf(a: RegionId, b: RegionId, leases: readonly LeaseEdge[]): AddedLink["shares"] {
  const soldTo = (seller: RegionId, buyer: RegionId) =>
    leases.filter((l) => l.seller === seller && l.buyer === buyer).reduce((sum, l) => sum + l.mbps, 0);
  return [...new Set(leases.map((l) => l.buyer))]
    .sort((x, y) => x - y)
    .map((buyer) => ({ buyer, rateMbps: Math.min(soldTo(a, buyer), soldTo(b, buyer)) }))
    .filter((share) => share.rateMbps > 0);
}

type RegionPair = readonly [RegionId, RegionId];
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

function ordered(a: RegionId, b: RegionId): RegionPair {
  return a < b ? [a, b] : [b, a];
}
