/** Regions that live: a lab with a chain, a consortium, and `ephemesh up` in each router. */
import { readFileSync } from "node:fs";
import type { meshView } from "../../../agent/api/views.ts";
import { ChainNode } from "../../../lab/chain/chain-node.ts";
import { type Consortium, foundConsortium } from "../../../lab/chain/consortium.ts";
import { Lab } from "../../../lab/lab.ts";
import { uniformTopology } from "../../../lab/layout/topology.ts";
import { LabSite } from "../../../lab/site.ts";
import { describeDifferences, type Snapshot, takeSnapshot } from "../../../lab/snapshot.ts";
import { patiently } from "../../helpers/eventually.ts";

export type Meshes = ReturnType<typeof meshView>[];

export const eventually = patiently(180_000);

export interface LivingRegions {
  readonly lab: Lab;
  readonly node: ChainNode;
  readonly sites: LabSite[];
  readonly consortium: Consortium;
  /** Of every router, before anything of ephemesh ran. */
  readonly before: ReadonlyMap<string, Snapshot>;
}

/** The first buys in the tests, the others sell; blocks come every second. */
export async function startRegions(count: number): Promise<LivingRegions> {
  const lab = await Lab.up({ topology: uniformTopology({ regions: count, rttMillis: 10 }) });
  try {
    const node = await ChainNode.start({ lab });
    const deploymentDirectory = `${lab.dir.path}/deployment`;
    const consortium = await foundConsortium(lab.topology, node.rpcUrl, deploymentDirectory);
    await node.setBlockTime(1);
    // The lab's own cables come up in their own time.
    await eventually("every device has its carrier and address", async () =>
      /NO-CARRIER|tentative/.test(JSON.stringify([...(await snapshotsOf(lab)).values()])) ? undefined : true,
    );
    const before = await snapshotsOf(lab);
    const sites = await Promise.all(
      consortium.regions.map((region) =>
        LabSite.prepare({ lab, region, rpcUrl: node.regionRpcUrl, deploymentDirectory }),
      ),
    );
    await Promise.all(sites.map((site) => site.start()));
    return { lab, node, sites, consortium, before };
  } catch (error) {
    await lab.down();
    throw error;
  }
}

/** Of each router that is not what it was, how. */
export async function differencesSince(lab: Lab, before: ReadonlyMap<string, Snapshot>): Promise<string[]> {
  const after = await snapshotsOf(lab);
  return [...before]
    .map(([name, snapshot]) => describeDifferences(snapshot, after.get(name)!))
    .filter((text) => text !== "");
}

export function meshes(site: LabSite): Promise<Meshes> {
  return asked<Meshes>(site, "/v1/meshes");
}

export function asked<T>(site: LabSite, path: string, body?: unknown): Promise<T> {
  return site.ask<T>(path, body);
}

export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

async function snapshotsOf(lab: Lab): Promise<ReadonlyMap<string, Snapshot>> {
  return new Map(
    await Promise.all(
      lab.topology.regions.map(
        async ({ name }) => [name, await takeSnapshot((command) => lab.exec(name, command))] as const,
      ),
    ),
  );
}
