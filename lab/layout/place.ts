/** Places in a lab: `eu-west-1` is a region's router, `eu-west-1/host` the host behind it, `core` the namespace that connects them. */
import { coreNamespace, hostNamespace, routerNamespace } from "./plan.ts";
import { regionIndex, type Topology } from "./topology.ts";

export type Place = string;

export const CORE: Place = "core";
export const hostOf = (region: string): Place => `${region}/host`;

/** @throws EphemeshError LAB_UNKNOWN_REGION */
export function namespaceOf(topology: Topology, labId: string, place: Place): string {
  if (place === CORE) return coreNamespace(labId);
  const [region = "", ...rest] = place.split("/");
  if (rest.length === 1 && rest[0] === "host") return hostNamespace(labId, known(region));
  return routerNamespace(labId, known(rest.length === 0 ? region : place));

  function known(name: string): string {
    regionIndex(topology, name);
    return name;
  }
}

export function allPlaces(topology: Topology): readonly Place[] {
  return [CORE, ...topology.regions.flatMap((region) => [region.name, hostOf(region.name)])];
}
