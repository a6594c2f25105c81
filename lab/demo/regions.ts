/** The demo's regions: their set-up, and what their agents and routers say of themselves. */
import { readFile } from "node:fs/promises";
import type { meshView } from "../../agent/api/views.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { DAY_SECONDS } from "../../agent/model/market.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import { ChainNode } from "../chain/chain-node.ts";
import { foundConsortium } from "../chain/consortium.ts";
import { makeHistory } from "../chain/history.ts";
import type { Lab } from "../lab.ts";
import { LabSite } from "../site.ts";
import { type Snapshot, takeSnapshot } from "../snapshot.ts";
import { secondsText } from "./figures.ts";
import { logExcerpt } from "./steps.ts";

const HISTORY_SECONDS = 14 * DAY_SECONDS;

type MeshView = ReturnType<typeof meshView>;

/** Sets up the chain, the contracts, two weeks of earlier leases and a site for each region; starts no agent yet. */
export async function prepareRegions(
  lab: Lab,
  tell: (line: string) => void,
): Promise<{ node: ChainNode; sites: LabSite[] }> {
  const begunMillis = monotonicMillis();
  const node = await ChainNode.start({ lab, genesisTimestamp: Math.floor(Date.now() / 1000) - HISTORY_SECONDS });
  const deploymentDirectory = `${lab.dir.path}/deployment`;
  const { deployment, regions } = await foundConsortium(lab.topology, node.rpcUrl, deploymentDirectory);
  const history = await makeHistory({ rpcUrl: node.rpcUrl, deployment, regions });
  await node.setBlockTime(1);
  tell(
    `Deployed the contracts, admitted ${regions.length} regions and settled ${history.leases} leases of the past two weeks in ${secondsText(monotonicMillis() - begunMillis)}.`,
  );
  tell(`Scores (0 to 1,000,000): ${regions.map((r) => `${r.name} ${history.scores.get(r.id) ?? 0}`).join(", ")}.`);
  const sites = await Promise.all(
    regions.map((region) => LabSite.prepare({ lab, region, rpcUrl: node.regionRpcUrl, deploymentDirectory })),
  );
  return { node, sites };
}

export function siteOf(sites: readonly LabSite[], name: string): LabSite {
  const site = sites.find((s) => s.name === name);
  if (!site)
    throw new EphemeshError("DEMO_NO_SUCH_REGION", `The topology has no region ${name}.`, "Name one of its regions.");
  return site;
}

/** The last warnings and errors in each region's log, most for the hub; of a region without any, its last lines. */
export async function recentLogs(lab: Lab, hub: string): Promise<readonly string[]> {
  const excerpts = await Promise.all(
    lab.topology.regions.map(async ({ name }) => {
      const log = await readFile(`${lab.dir.logs}/${name}.log`, "utf8").catch(() => "");
      return logExcerpt(log, name === hub ? 5 : 2).map((line) => `${name}: ${line}`);
    }),
  );
  return excerpts.flat();
}

export function meshesOf(site: LabSite): Promise<MeshView[]> {
  return site.ask<MeshView[]>("/v1/meshes");
}

export async function routeTo(site: LabSite, destination: string): Promise<MeshView["routes"][number] | undefined> {
  return (await meshesOf(site)).flatMap((m) => m.routes).find((r) => r.destinationName === destination);
}

/** Until all links of the site's running meshes are up, the added ones included: the alternates use them. */
export async function untilLinksUp(site: LabSite, signal: AbortSignal): Promise<void> {
  await site.until(async () => {
    const areUp = (await meshesOf(site)).every(({ phase, topology, links }) => {
      if (phase !== "running") return true;
      const added = topology?.added.filter(({ a, b }) => a === site.name || b === site.name).length;
      return added !== undefined && links.length > added && links.every(({ state }) => state === "up");
    });
    return areUp || undefined;
  }, signal);
}

/** The network configuration of every router. */
export async function snapshots(lab: Lab): Promise<ReadonlyMap<string, Snapshot>> {
  return new Map(
    await Promise.all(
      lab.topology.regions.map(
        async ({ name }) => [name, await takeSnapshot((command) => lab.exec(name, command))] as const,
      ),
    ),
  );
}
