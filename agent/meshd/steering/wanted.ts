/** From the wanted meshes and the routes to kernel objects. Pure. */
import { isIpv6 } from "../../model/address.ts";
import type { LinkId, MeshId, RegionId } from "../../model/ids.ts";
import type { LinkSpec, MeshdConfig, MeshPair, MeshSpec } from "../../model/meshd-messages.ts";
import { enclosing } from "../../model/prefix.ts";
import { TRAFFIC_CLASSES, type TrafficClass } from "../../model/traffic-class.ts";
import {
  ARRIVALS_TABLE,
  BUCKET_GROUPS,
  deliverMark,
  groupMask,
  groupTable,
  KIND_MASK,
  MARK_DELIVER,
  MARK_OURS,
  MARK_OURS_MASK,
  nextHopId,
  RULE,
  steerMark,
  UNCLASSIFIED_CLASS,
} from "../kernel/marks.ts";
import {
  arrivalRouteText,
  type KernelObjects,
  meshRouteText,
  NO_OBJECTS,
  nextHopText,
  refusalText,
  throwText,
} from "./kernel-objects.ts";
import type { MeshIndexes } from "./mesh-indexes.ts";
import { hex, outerRoute, outerRules } from "./outer.ts";
import type { GuardedLease, SteeredPair, Steering } from "./steering.ts";

/** A link that has an interface, or is about to get one. */
export interface LiveLink {
  readonly meshId: MeshId;
  readonly spec: LinkSpec;
  readonly device: string;
  readonly peerAddress: string;
}

export interface MeshRoutes {
  readonly spec: MeshSpec;
  readonly routes: readonly {
    readonly buyer: RegionId;
    readonly trafficClass: TrafficClass;
    readonly destination: RegionId;
    /** The link of each bucket group of the class; empty: no path. */
    readonly bucketGroups: readonly (LinkId | null)[];
  }[];
}

/** What the nftables rules of all meshes must mark, let pass and limit. @throws EphemeshError TOO_MANY_BUYERS */
export function wantedSteering(
  meshes: readonly MeshSpec[],
  links: readonly LiveLink[],
  meshIndexes: MeshIndexes,
): Steering {
  const outbound = new Map<string, SteeredPair>();
  const inbound = new Map<string, SteeredPair>();
  const used = new Set<number>();
  const outboundDestinations = new Map<string, number>();
  const inboundDestinations = new Map<string, number>();
  // A pair in two meshes belongs to the one with the higher clearing price, then to the lower id.
  for (const mesh of meshes.toSorted((a, b) => b.microPricePerMbps - a.microPricePerMbps || a.meshId - b.meshId)) {
    const mayCross = new Set(
      mesh.transit.flatMap(({ buyer, regions }) => (regions.includes(mesh.self) ? [buyer] : [])),
    );
    for (const pair of withoutCovered(mesh.pairs)) {
      const meshIndex = meshIndexes.assign(mesh.meshId, pair.buyer);
      const mark = steerMark(meshIndex, UNCLASSIFIED_CLASS);
      const key = `${pair.source} ${pair.destination}`;
      const steered = { source: pair.source, destination: pair.destination };
      used.add(meshIndex);
      if (pair.sourceRegion === mesh.self) {
        setOnce(outbound, key, { ...steered, mark });
        setOnce(outboundDestinations, pair.destination, mark);
      } else if (pair.destinationRegion === mesh.self) {
        setOnce(inbound, key, { ...steered, mark: deliverMark(meshIndex) });
        setOnce(inboundDestinations, pair.destination, deliverMark(meshIndex));
      } else if (mayCross.has(pair.buyer)) {
        setOnce(inbound, key, { ...steered, mark });
        setOnce(inboundDestinations, pair.destination, mark);
      }
    }
  }
  return {
    devices: links.map((link) => link.device),
    outbound: [...outbound.values()],
    inbound: [...inbound.values()],
    outboundDestinations: outermost(outboundDestinations),
    inboundDestinations: outermost(inboundDestinations),
    leases: links.flatMap(({ meshId, spec, device }) =>
      spec.shares.map((share): GuardedLease => {
        const meshIndex = meshIndexes.assign(meshId, share.buyer);
        return {
          device,
          meshIndex,
          rateMbps: share.rateMbps,
          marks: [deliverMark(meshIndex), steerMark(meshIndex, UNCLASSIFIED_CLASS)],
        };
      }),
    ),
    meshIndexes: [...used],
    seed: meshes[0]?.self ?? 0,
  };
}

/** The rules, routes and next-hop objects of all meshes. @param ownRoutes of the region, in canonical form, which keep their traffic */
export function wantedObjects(
  config: Pick<MeshdConfig, "underlays">,
  meshes: readonly MeshRoutes[],
  links: readonly LiveLink[],
  meshIndexes: MeshIndexes,
  ownRoutes: readonly string[],
): KernelObjects {
  if (meshes.length === 0 && links.length === 0) return NO_OBJECTS;
  const routes = new Set<string>();
  const nextHops = new Map<number, string>();
  const usedIndexes = new Set<number>();
  for (const { spec } of links) {
    const index = config.underlays.findIndex((underlay) => underlay.name === spec.underlay);
    const underlay = config.underlays[index];
    if (underlay) routes.add(outerRoute(underlay, index, spec.peerEndpoint.address));
  }
  const ownInside = insideOf(
    new Set(meshes.flatMap(({ spec }) => spec.pairs.map(({ destination }) => destination))),
    ownRoutes,
  );
  const byLink = new Map(links.map((link) => [link.spec.linkId, link]));
  for (const mesh of meshes) {
    const { meshId, pairs, self } = mesh.spec;
    for (const buyer of new Set(pairs.map((pair) => pair.buyer))) {
      const meshIndex = meshIndexes.assign(meshId, buyer);
      usedIndexes.add(meshIndex);
      if (mesh.spec.fallback !== "drop") continue;
      const away = pairs.filter((pair) => pair.buyer === buyer && pair.destinationRegion !== self);
      const own = new Set(away.flatMap(({ destination }) => ownInside.get(destination) ?? []));
      for (const { table } of bucketGroupsOf(meshIndex)) {
        for (const family of [4, 6] as const) routes.add(refusalText(family, table));
        // The unreachable default would otherwise take their traffic.
        for (const prefix of own) routes.add(throwText(prefix, table));
      }
    }
    for (const { source, sourceRegion, destinationRegion } of pairs) {
      if (destinationRegion === self && sourceRegion !== self && !isIpv6(source)) routes.add(arrivalRouteText(source));
    }
    for (const { buyer, trafficClass, destination, bucketGroups } of mesh.routes) {
      const meshIndex = meshIndexes.assign(meshId, buyer);
      const prefixes = prefixesToward(pairs, buyer, destination, self);
      for (const [group, name] of bucketGroups.entries()) {
        const table = groupTable(meshIndex, trafficClass, group);
        const link = name && byLink.get(name);
        if (!link) continue;
        const id = nextHopId(meshIndex, trafficClass, group, meshIndexes.assignDestination(meshId, destination));
        nextHops.set(id, nextHopText(link.peerAddress, link.device));
        for (const prefix of prefixes) {
          routes.add(meshRouteText(prefix, id, table));
          for (const own of ownInside.get(prefix) ?? []) routes.add(throwText(own, table));
        }
      }
    }
  }
  return {
    rules4: new Set(rules(config, [...usedIndexes], 4)),
    rules6: new Set(rules(config, [...usedIndexes], 6)),
    routes,
    nextHops,
  };
}

function rules(
  config: Pick<MeshdConfig, "underlays">,
  meshIndexes: readonly number[],
  family: 4 | 6,
): readonly string[] {
  return [
    ...outerRules(config.underlays, family),
    `pref ${RULE.skip} not fwmark ${hex(MARK_OURS)}/${hex(MARK_OURS_MASK)} goto ${RULE.end}`,
    ...meshIndexes
      .flatMap(bucketGroupsOf)
      .map(({ table, mask }) => `pref ${RULE.steer} fwmark ${hex(table)}/${hex(mask)} lookup ${table}`),
    // IPv6 has no reverse-path filter.
    ...(family === 4
      ? [`pref ${RULE.arrivals} fwmark ${hex(MARK_DELIVER)}/${hex(KIND_MASK)} lookup ${ARRIVALS_TABLE}`]
      : []),
    `pref ${RULE.end} nop`,
  ];
}

/** The table of each class and bucket group of one buyer. */
function bucketGroupsOf(meshIndex: number): readonly { readonly table: number; readonly mask: number }[] {
  return TRAFFIC_CLASSES.flatMap((trafficClass) =>
    Array.from({ length: BUCKET_GROUPS[trafficClass] }, (_, group) => ({
      table: groupTable(meshIndex, trafficClass, group),
      mask: groupMask(trafficClass),
    })),
  );
}

function prefixesToward(
  pairs: readonly MeshPair[],
  buyer: RegionId,
  destination: RegionId,
  self: RegionId,
): ReadonlySet<string> {
  return new Set(
    pairs
      .filter((pair) => pair.buyer === buyer && pair.destinationRegion === destination && destination !== self)
      .map((pair) => pair.destination),
  );
}

/** For each wide prefix the narrow ones strictly inside it. */
function insideOf(wide: ReadonlySet<string>, narrow: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const all = [...wide, ...narrow.filter((prefix) => !wide.has(prefix))];
  const inside = new Map<string, string[]>([...wide].map((prefix) => [prefix, []]));
  const isNarrow = new Set(narrow);
  for (const [index, outer] of enclosing(all).entries()) {
    const own = all[index] as string;
    if (isNarrow.has(own)) for (const each of outer) inside.get(all[each] as string)?.push(own);
  }
  return inside;
}

/** Without prefixes that others contain: elements of an interval map must not overlap. */
function outermost(marks: ReadonlyMap<string, number>): { prefix: string; mark: number }[] {
  const all = [...marks].map(([prefix, mark]) => ({ prefix, mark }));
  const outer = enclosing(all.map(({ prefix }) => prefix));
  return all.filter((_, index) => outer[index]?.length === 0);
}

/** Without pairs that a wider pair of the same regions covers: elements of an interval map must not overlap. */
function withoutCovered(pairs: readonly MeshPair[]): readonly MeshPair[] {
  const wider = new Map<string, readonly string[]>();
  const prefixes = [...new Set(pairs.flatMap(({ source, destination }) => [source, destination]))];
  for (const [index, outer] of enclosing(prefixes).entries())
    wider.set(prefixes[index] as string, [prefixes[index] as string, ...outer.map((each) => prefixes[each] as string)]);
  const key = (pair: MeshPair, source = pair.source, destination = pair.destination) =>
    `${pair.sourceRegion} ${source} ${pair.destinationRegion} ${destination}`;
  const all = new Set(pairs.map((pair) => key(pair)));
  const said = new Set<string>();
  return pairs.filter((pair) => {
    const own = key(pair);
    if (said.has(own)) return false;
    said.add(own);
    const { source, destination } = pair;
    return !(wider.get(source) ?? []).some((outerSource) =>
      (wider.get(destination) ?? []).some((outerDestination) => {
        const outer = key(pair, outerSource, outerDestination);
        return outer !== own && all.has(outer);
      }),
    );
  });
}

function setOnce<T>(map: Map<string, T>, key: string, value: T): void {
  if (!map.has(key)) map.set(key, value);
}
