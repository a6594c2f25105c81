/** Commands that show the agent's state; each reads its API. */
import { setTimeout as delay } from "node:timers/promises";
import type { AuctionAnswer, LeaseAnswer, MeshAnswer, RegionAnswer, StatusAnswer } from "../api/schemas.ts";
import { EPOCH_SECONDS } from "../model/market.ts";
import type { ScannedPeer } from "../scan/rank.ts";
import { askAgent, isHealthy } from "./api-client.ts";
import { printJson, printLine, printTable } from "./table.ts";

interface Options {
  readonly config: string;
  readonly json?: boolean;
  /** Includes what ended more than a day ago. */
  readonly all?: boolean;
}

/** Whether the agent lives or is ready. */
export async function checkHealth(config: string, what: "live" | "ready"): Promise<boolean> {
  return isHealthy(config, what === "live" ? "/healthz" : "/readyz");
}

/** Chains with empty blocks make one every few seconds. */
const OLD_HEAD_SECONDS = 60;

/** Prints chain, links, counters and meshes. @throws EphemeshError those of `askAgent` */
export async function showStatus(options: Options): Promise<void> {
  const status = await askAgent<StatusAnswer>(options.config, "/v1/status");
  if (options.json) return printJson(status);
  printLine(
    `${status.region} (region ${status.regionId}) on chain ${status.chain.chainId}: ${status.chain.reachable ? `block ${status.chain.block}` : "no RPC node answers; running leases continue"}${status.draining ? ", draining" : ""}`,
  );
  const { headAgeSeconds, nodes } = status.chain;
  if (headAgeSeconds !== null && headAgeSeconds > OLD_HEAD_SECONDS)
    printLine(`no new block for ${headAgeSeconds} s: the chain stands still, or its nodes do not follow it`);
  for (const { url, answering, sinceSeconds, problem } of nodes)
    if (answering === false) printLine(`RPC node ${url} fails since ${sinceSeconds} s: ${problem}`);
  printLine(`${status.meshd.up} of ${status.meshd.links} links up`);
  if (status.meshd.versionMismatch) printLine(`${status.meshd.versionMismatch} Restart \`ephemesh up\`.`);
  for (const [what, counts] of Object.entries({
    "packets dropped": status.meshd.droppedPackets,
    "advertisements refused": status.meshd.refusedAdvertisements,
    "control messages refused": status.control.refusedMessages,
  }))
    if (countsText(counts) !== "") printLine(`${what}: ${countsText(counts)}`);
  printTable(
    ["event", "mesh", "phase"],
    status.meshes.map((m) => [m.key, m.id, m.phase]),
  );
}

/** Prints the other regions and whether they are in reach. @throws EphemeshError those of `askAgent` */
export async function showScan(options: Options): Promise<void> {
  const peers = await askAgent<ScannedPeer[]>(options.config, "/v1/scan");
  if (options.json) return printJson(peers);
  printTable(
    ["region", "round trip ms", "distance km", "in reach", "reason"],
    peers.map((p) => [p.name, millis(p.rttMicros), p.distanceKm, p.included ? "yes" : "no", p.reason]),
  );
}

/** Prints auctions with their orders. @throws EphemeshError those of `askAgent` */
export async function showAuctions(options: Options): Promise<void> {
  const auctions = await askAgent<AuctionAnswer[]>(options.config, `/v1/auctions${options.all ? "?all=1" : ""}`);
  if (options.json) return printJson(auctions);
  for (const auction of auctions) {
    printLine(
      `auction ${auction.auctionId} (${auction.kind}, by ${auction.opener}): lots of ${auction.lotMbps} Mbit/s for ${auction.slots} slots on ${auction.fabric}; ${auction.outcome}${auction.price === null ? "" : ` at ${auction.price} a lot and slot, ${auction.lotsTraded} lots`}`,
    );
    printTable(
      ["#", "region", "side", "score", "price", "lots", "won"],
      auction.orders.map((o) => [o.index, o.region, o.side, o.score, o.price, o.lots, o.won]),
    );
    if (auction.ownOrder && "declined" in auction.ownOrder)
      printLine(`  no order of this region: ${auction.ownOrder.declined}`);
    if (auction.ownOrder && "reasons" in auction.ownOrder)
      for (const reason of auction.ownOrder.reasons) printLine(`  ${reason}`);
  }
  if (auctions.length === 0) printLine("No auctions.");
}

/** Prints leases with receipts and settlements. @throws EphemeshError those of `askAgent` */
export async function showLeases(options: Options): Promise<void> {
  const leases = await askAgent<LeaseAnswer[]>(options.config, `/v1/leases${options.all ? "?all=1" : ""}`);
  if (options.json) return printJson(leases);
  printTable(
    ["lease", "mesh", "buyer", "seller", "Mbit/s", "from", "to", "available s", "buyer pays", "seller gets"],
    leases.map((l) => [
      l.leaseId.slice(0, 10),
      l.meshId,
      l.buyer,
      l.seller,
      l.mbps,
      clock(l.startSeconds),
      clock(l.endSeconds),
      l.receipt ? `${l.receipt.availableSeconds} of ${l.receipt.epochs * EPOCH_SECONDS}` : null,
      l.settled?.buyerPays ?? null,
      l.settled?.sellerGets ?? null,
    ]),
  );
}

/** Refreshes every second until the signal. */
export async function watchMeshes(options: Options, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    process.stdout.write("\x1b[2J\x1b[H");
    await showMeshes(options);
    await delay(1000, undefined, { signal }).catch(() => undefined);
  }
}

/** Prints meshes with links and routes. @throws EphemeshError those of `askAgent` */
export async function showMeshes(options: Options): Promise<void> {
  const meshes = await askAgent<MeshAnswer[]>(options.config, `/v1/meshes${options.all ? "?all=1" : ""}`);
  if (options.json) return printJson(meshes);
  for (const mesh of meshes) {
    printLine(
      `mesh ${mesh.meshId ?? "(none yet)"} ${mesh.key}: ${mesh.phase}${mesh.abandoned ? `, ${mesh.abandoned}` : ""}${mesh.topology ? `; ${mesh.topology.reason}` : ""}`,
    );
    printTable(
      ["peer", "device", "state", "round trip ms", "loss out/in ppm", "carries Mbit/s", "attempt", "dropped packets"],
      mesh.links.map((l) => [
        l.peer,
        "device" in l ? l.device : null,
        l.state,
        "rttMicros" in l ? millis(l.rttMicros) : null,
        "rttMicros" in l ? `${l.lossForwardPpm ?? "–"}/${l.lossReversePpm ?? "–"}` : null,
        "rttMicros" in l ? (l.shortageKbps === null ? "all" : (l.shortageKbps / 1000).toFixed(1)) : null,
        l.attempt,
        l.droppedPackets && (countsText(l.droppedPackets) || "none"),
      ]),
    );
    printTable(
      ["to", "class", "paid by", "path", "reason"],
      mesh.routes.map((r) => [
        r.destinationName,
        r.trafficClass,
        r.buyerName,
        r.pathNames.length ? r.pathNames.join(" → ") : "standing peering",
        r.reason,
      ]),
    );
    if (countsText(mesh.refusedAdvertisements ?? {}) !== "")
      printLine(`  advertisements refused: ${countsText(mesh.refusedAdvertisements ?? {})}`);
    if (mesh.dissolved)
      printLine(
        `  dissolved at ${clock(mesh.dissolved.atSeconds)}, ${mesh.dissolved.leftBehind} objects left behind; ${mesh.dissolved.links.filter((l) => l.peerSignature).length} of ${mesh.dissolved.links.length} teardown records signed by the peer`,
      );
  }
  if (meshes.length === 0) printLine("No meshes.");
}

/** Prints the regions by score. @throws EphemeshError those of `askAgent` */
export async function showReputation(options: Options): Promise<void> {
  const regions = await askAgent<RegionAnswer[]>(options.config, "/v1/regions");
  if (options.json) return printJson(regions);
  printTable(
    ["region", "name", "score of 1,000,000", "state"],
    regions.sort((a, b) => b.score - a.score).map((r) => [r.id, r.name, r.score, r.active ? "active" : "suspended"]),
  );
}

/** Those that are not 0, e.g. `shaper 12, unauthorised 3`. */
function countsText(counts: Readonly<Record<string, number | undefined>>): string {
  return Object.entries(counts)
    .flatMap(([name, count]) => (count ? `${name} ${count}` : []))
    .join(", ");
}

function millis(micros: number | null): string | null {
  return micros === null ? null : (micros / 1000).toFixed(1);
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 19);
}
