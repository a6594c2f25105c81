/**
 * One event from trigger to settlement, told while it happens: six cloud regions roll out a file, and a cable is cut in
 * the middle. Contracts, agents, WireGuard and traffic are real; the far end checks the file's digest.
 */
import { stat } from "node:fs/promises";
import { monotonicMillis } from "../../agent/model/time.ts";
import type { ChainNode } from "../chain/chain-node.ts";
import type { Lab } from "../lab.ts";
import { processUse } from "../process/process-use.ts";
import type { LabSite } from "../site.ts";
import { describeDifferences, leftBehind } from "../snapshot.ts";
import { Stream } from "../traffic/stream.ts";
import { type DemoFigures, secondsText, verdictOf } from "./figures.ts";
import { formMesh, timeFormation } from "./form-mesh.ts";
import { PeeringWatch } from "./peering-watch.ts";
import { meshesOf, prepareRegions, recentLogs, siteOf, snapshots, untilLinksUp } from "./regions.ts";
import { stepRunner } from "./steps.ts";
import { oneWayLossGap, peeringRate, transferWithCut } from "./traffic.ts";

/** The roll-out must be complete by then; auction and lead time of the lease are part of it. */
const DEADLINE_SECONDS = 43;

export interface DemoOptions {
  readonly hub: string;
  readonly receiver: string;
  /** The file to roll out. */
  readonly file: string;
  readonly tell: (line: string) => void;
  /** Called while everything still runs, before the event is ended. */
  readonly beforeEnd?: (demo: RunningDemo) => Promise<void>;
}

export interface RunningDemo {
  readonly lab: Lab;
  readonly node: ChainNode;
  readonly sites: readonly LabSite[];
}

/** @throws EphemeshError DEMO_STEP_FAILED, with the step, its error and the last log lines of the regions */
export async function runDemo(lab: Lab, options: DemoOptions, signal: AbortSignal): Promise<DemoFigures> {
  const { hub: hubName, receiver, file, tell } = options;
  const parcel = { from: hubName, to: receiver, file };
  const { size: sizeBytes } = await stat(file);
  const step = stepRunner(() => recentLogs(lab, hubName));
  const startedMillis = monotonicMillis();
  tell(`Six regions in network namespaces: ${lab.topology.regions.map((r) => `${r.name} (${r.city})`).join(", ")}.`);
  tell(
    `Their standing peering carries ${lab.topology.peering.sharedMbps} Mbit/s in total; the fabrics between them are faster.`,
  );

  const { node, sites } = await step("prepare the regions", () => prepareRegions(lab, tell));
  const hub = siteOf(sites, hubName);
  const before = await step("read the routers' configuration", () => snapshots(lab));
  await step("start the agents", () => Promise.all(sites.map((site) => site.start())));
  tell(`\nAll agents are up, ${secondsText(monotonicMillis() - startedMillis)} after the start.`);

  tell("\n— Scan: which regions are in reach");
  tell(await step("scan", () => hub.run(["scan"])));

  tell(`\n— Before the event: ${hubName} sends ${megabytesText(sizeBytes)} to ${receiver} over the standing peering`);
  const peeringMbps = await step("send over the standing peering", () => peeringRate(lab, parcel));
  tell(
    `${peeringMbps.toFixed(1)} Mbit/s: the whole file would take ${Math.round((sizeBytes * 8) / peeringMbps / 1e6)} s. Stopped.`,
  );

  const stream = await step("start the measuring stream", () => Stream.start(lab, { from: hubName, to: receiver }));
  const peering = { fabric: lab.topology.peering.name, from: hubName, to: receiver };
  const watch = new PeeringWatch(async () => (await lab.readCounters(peering)).frames);
  tell(
    `\n— Trigger: roll out ${megabytesText(sizeBytes)} to five regions within ${DEADLINE_SECONDS} s (size and deadline give the demand)`,
  );
  const rollout = { receiver, sizeBytes, deadlineSeconds: DEADLINE_SECONDS };
  const mesh = await step("form the mesh", () => formMesh(hub, rollout, tell, signal));
  const formation = await step("wait for the first packet over the mesh", async () =>
    timeFormation(hub, mesh, await watch.end(), stream),
  );
  tell(
    `\nThe first packet of ${hubName}'s host crossed the mesh ${secondsText(formation.triggerToFirstPacketMillis)} after the trigger.`,
  );
  tell(await step("list the leases", () => hub.run(["leases"])));
  tell(await step("show the mesh", () => hub.run(["mesh"])));

  await step("bring all links up", () => Promise.all(sites.map((site) => untilLinksUp(site, signal))));
  tell("\n— Transfer: the whole file over the mesh, with a cable cut in the middle");
  const { gapMillis: cableCut, ...transfer } = await step("transfer the file and cut a cable", () =>
    transferWithCut(lab, hub, parcel, stream, tell, signal),
  );
  const silentLoss = await step("lose one direction of a cable", () => oneWayLossGap(lab, hub, parcel, stream, signal));
  tell(`The same cable lost one direction silently: packets arrived over the mesh again after ${silentLoss} ms.`);
  await stream.stop();
  await options.beforeEnd?.({ lab, node, sites });

  tell("\n— Dissolve: the event is over");
  await step("dissolve the mesh", async () => {
    await hub.ask("/v1/down", {});
    const isOver = async (site: LabSite) => (await meshesOf(site)).every((m) => m.phase === "over") || undefined;
    await Promise.all(sites.map((site) => site.until(() => isOver(site), signal)));
  });
  tell(await step("list the settled leases", () => hub.run(["leases"])));
  const after = await step("read the routers' configuration again", () => snapshots(lab));
  const counts = [...before].map(([name, snapshot]) => {
    const count = leftBehind(snapshot, after.get(name)!);
    if (count > 0)
      tell(`The configuration of ${name} has changed:\n${describeDifferences(snapshot, after.get(name)!)}`);
    return count;
  });
  const verdict = verdictOf(counts);
  tell(
    `Configuration of the six routers compared with before: ${verdict.primaryUntouched ? "byte for byte the same" : `${verdict.leftBehind} lines differ`}.`,
  );

  tell("\n— Reputation: the scores after settlement, audited from the events alone");
  tell(await hub.run(["audit"]).catch((error: unknown) => String(error)));
  const audit = await step(
    "audit the scores",
    async () => JSON.parse(await hub.run(["audit", "--json"])) as { matches: boolean },
  );
  const use = await step("measure the agent at rest", () => processUse([hub.pid!], 5000));

  return {
    ...formation,
    peeringMbps,
    leasedMbps: mesh.leasedMbps,
    ...transfer,
    failoverGapMillis: { cableCut, silentLoss },
    maxLinkRttMillis: mesh.maxLinkRttMillis,
    ...verdict,
    auditMatches: audit.matches,
    agentRssMegabytes: use.rssMegabytes,
    idleCpuPercent: use.cpuPercent,
    wholeDemoSeconds: (monotonicMillis() - startedMillis) / 1000,
  };
}

function megabytesText(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
