/** From the trigger to the first packet over the mesh, and how long each part of it took. */
import { setTimeout as delay } from "node:timers/promises";
import type { LoggedEvent } from "../../agent/api/event-log.ts";
import type { startEvent } from "../../agent/api/trigger.ts";
import type { leaseView } from "../../agent/api/views.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { monotonicMillis } from "../../agent/model/time.ts";
import type { LabSite } from "../site.ts";
import type { Stream } from "../traffic/stream.ts";
import type { DemoFigures } from "./figures.ts";
import { meshesOf } from "./regions.ts";

export interface Rollout {
  readonly receiver: string;
  readonly sizeBytes: number;
  readonly deadlineSeconds: number;
}

/** Times are CLOCK_MONOTONIC in ms. */
export interface FormedMesh {
  readonly key: string;
  readonly triggeredMillis: number;
  /** Of the hub's lease from the receiver. */
  readonly linkId: string;
  readonly leasedMbps: number;
  readonly startMillis: number;
  readonly maxLinkRttMillis: number;
}

/** Triggers the roll-out and returns when the lease has begun and all links of the hub are up. */
export async function formMesh(
  hub: LabSite,
  { receiver, sizeBytes, deadlineSeconds }: Rollout,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<FormedMesh> {
  const triggeredMillis = monotonicMillis();
  const { event, demandReason } = await hub.ask<ReturnType<typeof startEvent>>("/v1/triggers/rollout", {
    sizeBytes,
    deadlineSeconds,
    durationSeconds: 300,
    copies: 5,
    topology: "ring",
  });
  tell(`Demand: ${event.demandMbps} Mbit/s (${demandReason}).`);
  const lease = await hub.until(async () => {
    const forming = (await meshesOf(hub)).find((m) => m.key === event.id);
    if (forming?.abandoned)
      throw new EphemeshError(
        "DEMO_EVENT_ABANDONED",
        `The event was abandoned: ${forming.abandoned}.`,
        "See the log lines of the hub above.",
      );
    return (await hub.ask<ReturnType<typeof leaseView>>("/v1/leases")).find(
      (l) => l.meshId === forming?.meshId && l.seller === receiver && l.buyer === hub.name,
    );
  }, signal);
  tell("\n— Auction: sealed bids and asks, one clearing price");
  tell(await hub.run(["auctions"]));
  const mesh = await hub.until(async () => {
    const found = (await meshesOf(hub)).find((m) => m.key === event.id);
    const destination = found?.routes.find((r) => r.destinationName === receiver);
    return found && destination?.path.length === 1 && found.links.every((l) => l.state === "up") ? found : undefined;
  }, signal);
  // Links are up before the lease begins, but carry traffic only from then on.
  await delay(Math.max(0, (lease.startsMonotonicMillis ?? 0) + 1000 - monotonicMillis()));
  return {
    key: event.id,
    triggeredMillis,
    linkId: lease.leaseId,
    leasedMbps: lease.mbps,
    startMillis: lease.startsMonotonicMillis ?? Number.NaN,
    maxLinkRttMillis: Math.max(...mesh.links.map((l) => ("rttMicros" in l ? (l.rttMicros ?? 0) / 1000 : 0))),
  };
}

type Message = Readonly<Record<string, unknown>>;

/** @param leftPeeringMillis when the peering carried the last packet of the stream. */
export async function timeFormation(
  hub: LabSite,
  mesh: FormedMesh,
  leftPeeringMillis: number,
  stream: Stream,
): Promise<Pick<DemoFigures, "triggerToFirstPacketMillis" | "steps">> {
  const events = (await hub.ask<LoggedEvent[]>("/v1/events?since=0")).filter(
    (e) => e.monotonicMillis >= mesh.triggeredMillis,
  );
  const times = (type: string, matches: (message: Message) => boolean = () => true) =>
    events
      .filter(({ message }) => (message as Message).type === type && matches(message as Message))
      .map((event) => event.monotonicMillis);
  const first = (type: string, matches?: (message: Message) => boolean) => times(type, matches)[0] ?? Number.NaN;
  const isOfLink = (message: Message) => (message.link as { linkId: string }).linkId === mesh.linkId;
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
    first("LinkAgreed", isOfLink),
  ];
  return {
    triggerToFirstPacketMillis: Math.round(arrival.receivedMillis - mesh.triggeredMillis),
    steps: {
      scan: Math.round(scanned - mesh.triggeredMillis),
      open: Math.round(opened - scanned),
      auctionPhases: Math.round(lastReveal - opened),
      clear: Math.round(cleared - lastReveal),
      handshake: Math.round(agreed - cleared),
      eni: Math.round(upMillis - agreed),
      leaseLead: Math.round(mesh.startMillis - upMillis),
      firstPacket: Math.round(arrival.receivedMillis - Math.max(mesh.startMillis, upMillis)),
    },
  };
}
