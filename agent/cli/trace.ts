/** `ephemesh mesh trace DESTINATION`: the path of this region's traffic, by traffic class, with the reason. */
import type { MeshAnswer, RegionAnswer } from "../api/schemas.ts";
import { unmappedAddress } from "../model/address.ts";
import { EphemeshError } from "../model/errors.ts";
import { contains, toPrefix } from "../model/prefix.ts";
import { askAgent } from "./api-client.ts";
import { printJson, printLine } from "./table.ts";

type Route = Pick<
  MeshAnswer["routes"][number],
  "destinationName" | "trafficClass" | "pathNames" | "nextHopNames" | "backupName" | "costMicros" | "reason"
>;
interface TracedMesh {
  readonly meshId: number | null;
  readonly routes: readonly Route[];
}
type KnownRegion = Readonly<Pick<RegionAnswer, "name">> & { readonly prefixes: readonly string[] };

/** @throws EphemeshError TRACE_UNKNOWN_DESTINATION */
export async function showTrace(
  destination: string,
  options: { readonly config: string; readonly json?: boolean },
): Promise<void> {
  const [regions, meshes] = await Promise.all([
    askAgent<RegionAnswer[]>(options.config, "/v1/regions"),
    askAgent<MeshAnswer[]>(options.config, "/v1/meshes"),
  ]);
  const name = regionOfDestination(destination, regions);
  const traced = meshes.map((mesh) => ({
    meshId: mesh.meshId,
    routes: mesh.routes.filter((route) => route.destinationName === name),
  }));
  if (options.json) return printJson({ destination: name, meshes: traced });
  for (const line of traceText(name, traced)) printLine(line);
}

/**
 * The name of the region that a name or an address stands for. Pure.
 * @throws EphemeshError TRACE_UNKNOWN_DESTINATION
 */
export function regionOfDestination(destination: string, regions: readonly KnownRegion[]): string {
  const named = regions.find((region) => region.name === destination);
  const address = toPrefix(unmappedAddress(destination) ?? "");
  const holder = address && regions.find(({ prefixes }) => prefixes.some((prefix) => contains(prefix, address)));
  const found = named ?? holder;
  if (found) return found.name;
  throw new EphemeshError(
    "TRACE_UNKNOWN_DESTINATION",
    `"${destination}" is neither a registered region nor an address of one.`,
    "`ephemesh reputation` lists the regions.",
  );
}

/** The lines to print. Pure. */
export function traceText(name: string, meshes: readonly TracedMesh[]): readonly string[] {
  const lines = meshes.flatMap(({ meshId, routes }) =>
    routes.flatMap((route) => {
      const total = route.nextHopNames.reduce((sum, { weight }) => sum + weight, 0);
      const shares = route.nextHopNames.map((hop) => `${Math.round((100 * hop.weight) / total)} % via ${hop.name}`);
      const cost = route.costMicros === null ? "" : `, cost ${(route.costMicros / 1000).toFixed(1)} ms`;
      return [
        `mesh ${meshId ?? "–"}, ${route.trafficClass}: ${route.pathNames.join(" → ") || "standing peering"}${cost}`,
        ...(shares.length > 1 ? [`  spread: ${shares.join(", ")}`] : []),
        ...(route.backupName === null ? [] : [`  backup if the link is lost: ${route.backupName}`]),
        `  reason: ${route.reason}`,
      ];
    }),
  );
  return lines.length > 0 ? lines : [`No mesh carries traffic to ${name}; it takes the standing peering.`];
}
