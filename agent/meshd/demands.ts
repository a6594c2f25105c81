/** From a mesh's specification to the traffic that this node may have to forward. Pure. */
import type { RegionId } from "../model/ids.ts";
import type { MeshSpec } from "../model/meshd-messages.ts";
import { TRAFFIC_CLASSES } from "../model/traffic-class.ts";
import { ATTRIBUTE } from "./routing/lsa.ts";
import type { Demand } from "./routing/routes.ts";

/** The flows of this region itself, and those of buyers that pay it for transit. */
export function demandsOf(spec: MeshSpec): readonly Demand[] {
  const mayCross = new Map(spec.transit.map(({ buyer, regions }) => [buyer, new Set(regions)]));
  const required = new Map(spec.transit.map(({ buyer, require = [] }) => [buyer, attributesOf(require)]));
  const destinations = new Map<RegionId, Set<RegionId>>();
  for (const pair of spec.pairs) {
    if (pair.destinationRegion === spec.self) continue;
    if (pair.sourceRegion !== spec.self && !mayCross.get(pair.buyer)?.has(spec.self)) continue;
    const ofBuyer = destinations.get(pair.buyer) ?? new Set();
    destinations.set(pair.buyer, ofBuyer.add(pair.destinationRegion));
  }
  return [...destinations].flatMap(([buyer, to]) =>
    TRAFFIC_CLASSES.map((trafficClass) => ({
      buyer,
      trafficClass,
      destinations: [...to].sort((a, b) => a - b),
      mayCross: mayCross.get(buyer) ?? new Set<RegionId>(),
      required: required.get(buyer) ?? 0,
    })),
  );
}

function attributesOf(names: readonly (keyof typeof ATTRIBUTE)[]): number {
  return names.reduce((bits, name) => bits | ATTRIBUTE[name], 0);
}
