/**
 * The life of one event, told while it happens: six cloud regions, a roll-out, a cable cut in the middle of it.
 * Everything is real: contracts on a chain, agents, WireGuard, a file that is checked by digest at the far end.
 */
import { stat } from "node:fs/promises";
import type { LoggedEvent } from "../../agent/api/event-log.ts";
import type { leaseView, meshView } from "../../agent/api/views.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { ChainNode } from "../chain/chain-node.ts";
import { foundConsortium } from "../chain/consortium.ts";
import { makeHistory } from "../chain/history.ts";
import type { Lab } from "../lab.ts";
import { processUse } from "../process/process-use.ts";
import { LabSite } from "../site.ts";
import { describeDifferences, leftBehind, type Snapshot, takeSnapshot } from "../snapshot.ts";
import { interruption } from "../traffic/arrivals.ts";
import { nowMillis, Stream } from "../traffic/stream.ts";
import { ratesMbps, Transfer } from "../traffic/transfer.ts";
import { type DemoFigures, verdictOf } from "./figures.ts";

const FABRIC = "ix-atlantic";
const TWO_WEEKS_SECONDS = 14 * 86_400;
const PEERING_SAMPLE_MILLIS = 6000;
const RATE_PERIOD_MILLIS = 500;
/** The roll-out has to be everywhere by then; the auction's windows and the lead of a lease are part of it. */
const DEADLINE_SECONDS = 43;

export interface DemoOptions {
  readonly hub: string;
  readonly receiver: string;
  /** What is rolled out. */
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

type MeshView = ReturnType<typeof meshView>;

export async function runDemo(lab: Lab, options: DemoOptions, signal: AbortSignal): Promise<DemoFigures> {
  const { hub: hubName, receiver, tell } = options;
  const startedMillis = nowMillis();
  tell(`Six regions in network namespaces: ${lab.topology.regions.map((r) => `${r.name} (${r.city})`).join(", ")}.`);
  tell(
    `Their standing peering carries ${lab.topology.peering.sharedMbps} Mbit/s for all together; the exchange ${FABRIC} is faster.`,
  );

  const { node, sites } = await startRegions(lab, tell);
  const before = await snapshots(lab);
  await Promise.all(sites.map((site) => site.start()));
  const hub = siteOf(sites, hubName);
  tell(`\nAgents are up in all regions (${seconds(nowMillis() - startedMillis)} since the start).`);

  tell("\n— scan: who is in reach");
  tell(await hub.run(["scan"]));
  const peeringMbps = await overPeering(lab, options, tell);

  const stream = await Stream.start(lab, { from: hubName, to: receiver });
  const watch = new PeeringWatch(lab, hubName, receiver);
  const mesh = await formMesh(hub, options, tell, signal);
  const steps = await timeSteps(hub, mesh, await watch.end(), stream);
  tell(
    `\nThe first packet of ${hubName}'s hosts crossed the mesh ${seconds(steps.triggerToFirstPacketMillis)} after the trigger.`,
  );
  tell(await hub.run(["leases"]));
  tell(await hub.run(["mesh"]));

  await Promise.all(sites.map((site) => site.until(() => everyLinkUp(site), signal)));
  const transfer = await transferWithCut(lab, hub, options, stream, signal);
  const silent = await silentLoss(lab, hub, options, stream, tell, signal);
  await stream.stop();
  await options.beforeEnd?.({ lab, node, sites });

  tell("\n— dissolve: the event is over");
  await hub.ask("/v1/down", {});
  await Promise.all(
    sites.map((site) =>
      site.until(async () => ((await meshesOf(site)).every((m) => m.phase === "over") ? true : undefined), signal),
    ),
  );
  tell(await hub.run(["leases"]));
  const after = await snapshots(lab);
  const left = [...before].map(([name, snapshot]) => ({
    name,
    count: leftBehind(snapshot, after.get(name)!),
    text: describeDifferences(snapshot, after.get(name)!),
  }));
  for (const { name, text, count } of left) if (count > 0) tell(`${name} is not what it was:\n${text}`);
  const leftCount = left.reduce((sum, { count }) => sum + count, 0);
  tell(
    `Configuration of the six routers against before: ${leftCount === 0 ? "byte for byte the same" : `${leftCount} lines differ`}.`,
  );

  tell("\n— reputation: what the settlements made of the scores, and an audit that trusts only the events");
  tell(await hub.run(["audit"]).catch((error: unknown) => String(error)));
  const audit = JSON.parse(await hub.run(["audit", "--json"])) as { matches: boolean };
  const use = await processUse([hub.pid!], 5000);

  return {
    ...steps,
    peeringMbps,
    leasedMbps: mesh.leasedMbps,
    ...transfer,
    failoverGapMillis: { cableCut: transfer.failoverGapMillis, silentLoss: silent },
    maxLinkRttMillis: mesh.maxLinkRttMillis,
    ...verdictOf(left.map(({ count }) => count)),
    auditMatches: audit.matches,
    agentRssMegabytes: use.rssMegabytes,
    idleCpuPercent: use.cpuPercent,
    wholeDemoSeconds: (nowMillis() - startedMillis) / 1000,
  };
}

/** Chain, contracts, consortium, two weeks of earlier leases, and a site for each region; nothing of ephemesh runs yet. */
export async function startRegions(
  lab: Lab,
  tell: (line: string) => void,
): Promise<{ node: ChainNode; sites: LabSite[] }> {
  const begun = nowMillis();
  const node = await ChainNode.start({ lab, genesisTimestamp: Math.floor(Date.now() / 1000) - TWO_WEEKS_SECONDS });
  const deploymentDirectory = `${lab.dir.path}/deployment`;
  const { deployment, regions } = await foundConsortium(lab.topology, node.rpcUrl, deploymentDirectory);
  const history = await makeHistory({ rpcUrl: node.rpcUrl, deployment, regions });
  await node.setBlockTime(1);
  tell(
    `Contracts deployed, ${regions.length} regions admitted, ${history.leases} earlier leases of two weeks settled by real transactions (${seconds(nowMillis() - begun)}).`,
  );
  tell(`Scores of 1,000,000: ${regions.map((r) => `${r.name} ${history.scores.get(r.id) ?? 0}`).join(", ")}.`);
  const sites = await Promise.all(
    regions.map((region) => LabSite.prepare({ lab, region, rpcUrl: node.regionRpcUrl, deploymentDirectory })),
  );
  return { node, sites };
}

async function overPeering(
  lab: Lab,
  { hub, receiver, file }: DemoOptions,
  tell: (line: string) => void,
): Promise<number> {
  tell(`\n— before: ${hub} pushes ${megabytes((await stat(file)).size)} to ${receiver} over the standing peering`);
  const transfer = await Transfer.start(lab, { from: hub, to: receiver, file });
  await transfer.reached(1);
  const from = nowMillis();
  await new Promise((resolve) => setTimeout(resolve, PEERING_SAMPLE_MILLIS));
  const rate = transfer.rateMbps(from + 1000, nowMillis());
  await transfer.abort();
  tell(
    `${rate.toFixed(1)} Mbit/s: the whole would take ${Math.round(((await stat(file)).size * 8) / rate / 1e6)} s. Stopped.`,
  );
  return rate;
}

interface FormedMesh {
  readonly key: string;
  readonly triggeredMillis: number;
  readonly linkId: string;
  readonly leasedMbps: number;
  readonly startMillis: number;
  readonly maxLinkRttMillis: number;
}

/** From the trigger until the receiver is reached over the mesh and a second way to it stands. */
async function formMesh(
  hub: LabSite,
  { hub: hubName, receiver, file }: DemoOptions,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<FormedMesh> {
  const { size } = await stat(file);
  tell(
    `\n— trigger: a roll-out of ${megabytes(size)} to five regions within ${DEADLINE_SECONDS} s (size and deadline give the demand)`,
  );
  const triggeredMillis = nowMillis();
  const { event, reasons } = await hub.ask<{ event: { id: string; demandMbps: number }; reasons: string }>(
    "/v1/triggers/rollout",
    {
      sizeBytes: size,
      deadlineSeconds: DEADLINE_SECONDS,
      durationSeconds: 300,
      copies: 5,
      topology: "ring",
    },
  );
  tell(`${event.demandMbps} Mbit/s: ${reasons}.`);
  const lease = await hub.until(async () => {
    const forming = (await meshesOf(hub)).find((m) => m.key === event.id);
    if (forming?.abandoned)
      throw new EphemeshError(
        "DEMO_EVENT_FAILED",
        `The event failed: ${forming.abandoned}.`,
        "See the log of the hub.",
      );
    return (await hub.ask<ReturnType<typeof leaseView>>("/v1/leases")).find(
      (l) => l.meshId === forming?.meshId && l.seller === receiver && l.buyer === hubName,
    );
  }, signal);
  tell("\n— auction: sealed bids and asks, one price");
  tell(await hub.run(["auctions"]));
  const mesh = await hub.until(async () => {
    const found = (await meshesOf(hub)).find((m) => m.key === event.id);
    const destination = found?.routes.find((r) => r.destinationName === receiver);
    return found && destination?.path.length === 1 && found.links.every((l) => l.state === "up") ? found : undefined;
  }, signal);
  // The links are up before the lease begins; only then may anything flow.
  await new Promise((resolve) =>
    setTimeout(resolve, Math.max(0, (lease.startsMonotonicMillis ?? 0) + 1000 - nowMillis())),
  );
  return {
    key: event.id,
    triggeredMillis,
    linkId: lease.leaseId,
    leasedMbps: lease.mbps,
    startMillis: lease.startsMonotonicMillis ?? Number.NaN,
    maxLinkRttMillis: Math.max(...mesh.links.map((l) => ("rttMicros" in l ? (l.rttMicros ?? 0) / 1000 : 0))),
  };
}

/**
 * When the hosts' packets left the peering: the moment from which its cable, read from outside every few milliseconds,
 * carries none of the stream any more. Nothing that the agents say of themselves counts here.
 */
class PeeringWatch {
  readonly #readings: { readonly atMillis: number; readonly packets: number }[] = [];
  readonly #ended = new AbortController();
  readonly #watching: Promise<void>;

  constructor(lab: Lab, from: string, to: string) {
    const direction = { fabric: lab.topology.peering.name, from, to };
    this.#watching = (async () => {
      while (!this.#ended.signal.aborted) {
        const { frames: packets } = await lab.readCounters(direction);
        this.#readings.push({ atMillis: nowMillis(), packets });
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
  }

  /** @returns time of the last packet that the peering carried. */
  async end(): Promise<number> {
    this.#ended.abort();
    await this.#watching;
    const last = this.#readings.at(-1)?.packets ?? 0;
    return this.#readings.find(({ packets }) => packets === last)?.atMillis ?? Number.NaN;
  }
}

async function timeSteps(hub: LabSite, mesh: FormedMesh, leftPeeringMillis: number, stream: Stream) {
  const events = (await hub.ask<LoggedEvent[]>("/v1/events?since=0")).filter(
    (e) => e.monotonicMillis >= mesh.triggeredMillis,
  );
  const times = (type: string, matches: (message: Record<string, unknown>) => boolean = () => true) =>
    events
      .filter(
        ({ message }) => (message as { type: string }).type === type && matches(message as Record<string, unknown>),
      )
      .map((event) => event.monotonicMillis);
  const first = (type: string, matches?: (message: Record<string, unknown>) => boolean) =>
    times(type, matches)[0] ?? Number.NaN;
  const ofLink = (message: Record<string, unknown>) => (message.link as { linkId: string }).linkId === mesh.linkId;
  const current = (await meshesOf(hub)).find((m) => m.key === mesh.key)!;
  const link = current.links.find((l) => l.linkId === mesh.linkId)!;
  const upMillis =
    current.changes.find((c) => c.what.startsWith(`link to ${link.peerRegion} `) && c.what.endsWith("is up"))
      ?.atMonotonicMillis ?? Number.NaN;
  const arrival = await stream.arrivalOf(leftPeeringMillis);
  const lastReveal = Math.max(...times("OrderRevealed"));
  const [scanned, opened, cleared, agreed] = [
    first("PeersScanned"),
    first("AuctionOpened"),
    first("AuctionCleared"),
    first("LinkAgreed", ofLink),
  ];
  return {
    triggerToFirstPacketMillis: Math.round(arrival.receivedMillis - mesh.triggeredMillis),
    steps: {
      scan: Math.round(scanned - mesh.triggeredMillis),
      open: Math.round(opened - scanned),
      auctionWindows: Math.round(lastReveal - opened),
      clear: Math.round(cleared - lastReveal),
      handshake: Math.round(agreed - cleared),
      eni: Math.round(upMillis - agreed),
      leaseLead: Math.round(mesh.startMillis - upMillis),
      firstPacket: Math.round(arrival.receivedMillis - Math.max(mesh.startMillis, upMillis)),
    },
  };
}

async function transferWithCut(
  lab: Lab,
  hub: LabSite,
  { hub: from, receiver: to, file, tell }: DemoOptions,
  stream: Stream,
  signal: AbortSignal,
) {
  const { size } = await stat(file);
  tell(`\n— transfer: the whole file over the mesh, and a cable cut in the middle of it`);
  const peeringBefore = await lab.readCounters({ fabric: lab.topology.peering.name, from, to });
  const transfer = await Transfer.start(lab, { from, to, file });
  await transfer.reached(size * 0.1);
  const steadyMillis = nowMillis();
  await transfer.reached(size * 0.45);
  const cutMillis = nowMillis();
  await lab.cut(from, to, { fabric: FABRIC });
  tell(`cable between ${from} and ${to} cut at 45 %`);
  const result = await transfer.done;
  const gap = interruption(stream.record(), cutMillis);
  const detour = (await meshesOf(hub)).flatMap((m) => m.routes).find((r) => r.destinationName === to);
  tell(
    `the transfer went on by ${detour?.pathNames.join(" → ") || "the standing peering"} after ${Math.round(gap.maxGapMillis)} ms; digest ${result.digestMatches ? "matches" : "DIFFERS"}`,
  );
  const peeringAfter = await lab.readCounters({ fabric: lab.topology.peering.name, from, to });
  await lab.heal(from, to);
  await directAgain(hub, to, signal);
  return {
    meshMbps: transfer.rateMbps(steadyMillis, cutMillis),
    meshMbpsAfterCut: transfer.rateMbps(cutMillis + 2000),
    throughput: {
      periodMillis: RATE_PERIOD_MILLIS,
      mbps: ratesMbps(transfer.progress, RATE_PERIOD_MILLIS),
      cutAtMillis: Math.round(cutMillis - transfer.progress[0]!.atMillis),
    },
    failoverGapMillis: Math.round(gap.maxGapMillis),
    digestMatches: result.digestMatches,
    peeringMegabytesMeanwhile: (peeringAfter.bytes - peeringBefore.bytes) / 1e6,
    detour: detour?.pathNames ?? [],
  };
}

async function silentLoss(
  lab: Lab,
  hub: LabSite,
  { hub: from, receiver: to }: DemoOptions,
  stream: Stream,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const atMillis = nowMillis();
  await lab.cutOneWay(from, to, { fabric: FABRIC });
  await hub.until(async () => ((await routeTo(hub, to))?.pathNames.length !== 1 ? true : undefined), signal);
  await stream.arrival(nowMillis() + 1000);
  const gap = Math.round(interruption(stream.record(), atMillis).maxGapMillis);
  tell(`the same cable, silent in one direction only: ${gap} ms until packets arrive over the mesh again`);
  await lab.heal(from, to);
  return gap;
}

async function directAgain(hub: LabSite, to: string, signal: AbortSignal): Promise<void> {
  await hub.until(async () => ((await routeTo(hub, to))?.pathNames.length === 1 ? true : undefined), signal);
}

/** The added links come after the leases': only with them does the cable that is cut have an alternate. */
async function everyLinkUp(site: LabSite): Promise<true | undefined> {
  const standing = (await meshesOf(site)).every(({ phase, topology, links }) => {
    if (phase !== "running") return true;
    const added = topology?.added.filter(({ a, b }) => a === site.name || b === site.name).length;
    return added !== undefined && links.length > added && links.every(({ state }) => state === "up");
  });
  return standing || undefined;
}

async function routeTo(hub: LabSite, to: string) {
  return (await meshesOf(hub)).flatMap((m) => m.routes).find((r) => r.destinationName === to);
}

function meshesOf(site: LabSite): Promise<MeshView[]> {
  return site.ask<MeshView[]>("/v1/meshes");
}

async function snapshots(lab: Lab): Promise<ReadonlyMap<string, Snapshot>> {
  return new Map(
    await Promise.all(
      lab.topology.regions.map(
        async ({ name }) => [name, await takeSnapshot((command) => lab.exec(name, command))] as const,
      ),
    ),
  );
}

function siteOf(sites: readonly LabSite[], name: string): LabSite {
  const site = sites.find((s) => s.name === name);
  if (!site)
    throw new EphemeshError("DEMO_NO_SUCH_REGION", `The topology has no region ${name}.`, "Name one of its regions.");
  return site;
}

const seconds = (millis: number) => `${(millis / 1000).toFixed(1)} s`;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
