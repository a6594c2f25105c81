/** `ephemesh mesh trace DEST`: where this region's traffic to one destination goes, class by class, and why. */
import type { meshView } from "../api/views.ts";
import { unmappedAddress } from "../model/address.ts";
import { EphemeshError } from "../model/errors.ts";
import { contains, toPrefix } from "../model/prefix.ts";
import { askAgent } from "./api-client.ts";
import { printJson, printLine } from "./table.ts";

type Route = Pick<
  ReturnType<typeof meshView>["routes"][number],
  "destinationName" | "trafficClass" | "pathNames" | "nextHopNames" | "backupName" | "costMicros" | "reason"
>;
interface TracedMesh {
  readonly meshId: number | null;
  readonly routes: readonly Route[];
}
interface KnownRegion {
  readonly name: string;
  readonly prefixes: readonly string[];
}

/** @throws EphemeshError TRACE_UNKNOWN_DESTINATION */
export async function showTrace(
  destination: string,
  options: { readonly config: string; readonly json?: boolean },
): Promise<void> {
  const [regions, meshes] = (await Promise.all([
    askAgent(options.config, "/v1/regions"),
    askAgent(options.config, "/v1/meshes"),
  ])) as [KnownRegion[], TracedMesh[]];
  const name = regionOfDestination(destination, regions);
  const traced = meshes.map((mesh) => ({
    meshId: mesh.meshId,
    routes: mesh.routes.filter((route) => route.destinationName === name),
  }));
  if (options.json) return printJson({ destination: name, meshes: traced });
  for (const line of traceText(name, traced)) printLine(line);
}

/** A region's name, or an address that one of its prefixes holds. Pure. */
export function regionOfDestination(destination: string, regions: readonly KnownRegion[]): string {
  const named = regions.find((region) => region.name === destination);
  const address = toPrefix(unmappedAddress(destination) ?? "");
  const holder = address && regions.find(({ prefixes }) => prefixes.some((prefix) => contains(prefix, address)));
  const found = named ?? holder;
  if (found) return found.name;
  throw new EphemeshError(
    "TRACE_UNKNOWN_DESTINATION",
    `"${destination}" is neither a region of the register nor an address that one of them holds.`,
    "`ephemesh scan` lists the regions.",
  );
}

/** Pure. */
export function traceText(name: string, meshes: readonly TracedMesh[]): readonly string[] {
  const lines = meshes.flatMap(({ meshId, routes }) =>
    routes.flatMap((route) => {
      const total = route.nextHopNames.reduce((sum, { planes }) => sum + planes, 0);
      const shares = route.nextHopNames.map((hop) => `${Math.round((100 * hop.planes) / total)} % by ${hop.name}`);
      const cost = route.costMicros === null ? "" : `, cost ${(route.costMicros / 1000).toFixed(1)} ms`;
      return [
        `mesh ${meshId ?? "–"}, ${route.trafficClass}: ${route.pathNames.join(" → ") || "the standing peering"}${cost}`,
        ...(shares.length > 1 ? [`  spread: ${shares.join(", ")}`] : []),
        ...(route.backupName === null ? [] : [`  turns to ${route.backupName} the instant its link is lost`]),
        `  why: ${route.reason}`,
      ];
    }),
  );
  return lines.length > 0 ? lines : [`no mesh carries traffic to ${name}: the standing peering does`];
}
