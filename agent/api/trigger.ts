/** Starts an event from a request, or shows what it would do; for the command line, the API and webhooks. */

import { randomUUID } from "node:crypto";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { readFunds, readPriority } from "../coordinator/handlers/auction.ts";
import { scanPeers } from "../coordinator/handlers/scan.ts";
import { emptyMesh, type TriggeredEvent } from "../coordinator/mesh.ts";
import { decideBid, decideTerms } from "../coordinator/order.ts";
import { leadSeconds } from "../coordinator/shortfall.ts";
import { chainNow, marketFacts, regionOf, type Site } from "../coordinator/site.ts";
import { isSameFamily } from "../model/address.ts";
import { EphemeshError } from "../model/errors.ts";
import type { EventKind } from "../model/event.ts";
import { demandOf, type TriggerRequest } from "../trigger/demand.ts";
import type { DryRunAnswer, TriggerAnswer } from "./schemas.ts";

/**
 * The event that a request describes; starts nothing.
 * @throws EphemeshError TRIGGER_TOO_LATE, TRIGGER_NO_POLICY, DRAINING, CHAIN_NOT_READY
 */
export function eventFrom(
  site: Site,
  coordinator: Coordinator,
  request: TriggerRequest,
): TriggeredEvent & { demandReason: string } {
  if (!site.clock.isSet)
    throw new EphemeshError(
      "CHAIN_NOT_READY",
      "The chain has not answered yet. Nothing was started.",
      "Try again when `ephemesh status --check ready` succeeds.",
      { retryable: true },
    );
  if (coordinator.draining)
    throw new EphemeshError(
      "DRAINING",
      "This agent is draining. Nothing was started.",
      "`ephemesh drain --off` ends this.",
    );
  const policy = site.config.buy[request.kind];
  if (!policy) throw noPolicy(request.kind);
  const setUpSeconds = leadSeconds(site.constants, policy.profile);
  const demand = demandOf(request, setUpSeconds);
  if (!demand)
    throw new EphemeshError(
      "TRIGGER_TOO_LATE",
      `The auction and the lead of a lease take ${setUpSeconds} s: a deadline of ${request.deadlineSeconds} s leaves no time for the transfer. Nothing was started.`,
      "Give a later deadline, or use the standing peering.",
    );
  return {
    id: randomUUID(),
    kind: request.kind,
    demandMbps: demand.demandMbps,
    durationSeconds: demand.durationSeconds,
    topology: request.topology ?? site.config.topology,
    renews: request.renew,
    reason: request.reason ?? "operator",
    requestId: request.requestId ?? null,
    atSeconds: chainNow(site),
    demandReason: demand.demandReason,
  };
}

/**
 * Starts an event, or returns the one that the same requestId started before.
 * @throws EphemeshError as eventFrom
 */
export function startEvent(site: Site, coordinator: Coordinator, request: TriggerRequest): TriggerAnswer {
  const known = request.requestId
    ? [...coordinator.world.meshes.values()].find((mesh) => mesh.event?.requestId === request.requestId)
    : undefined;
  if (known?.event) return { event: known.event, demandReason: "already requested: this is the event of that request" };
  const { demandReason, ...event } = eventFrom(site, coordinator, request);
  site.dispatch({ type: "EventTriggered", event });
  return { event, demandReason };
}

/**
 * Regions in reach, the highest cost, and the interfaces and routes that would be made. Starts nothing.
 * @throws EphemeshError as eventFrom
 */
export async function dryRun(site: Site, coordinator: Coordinator, request: TriggerRequest): Promise<DryRunAnswer> {
  const { demandReason, ...event } = eventFrom(site, coordinator, request);
  const [peers, funds, priority] = await Promise.all([scanPeers(site), readFunds(site), readPriority(site)]);
  const facts = marketFacts(site);
  const need = { mbps: event.demandMbps, durationSeconds: event.durationSeconds, earliestStartSeconds: 0 };
  const planned = decideTerms(event, need, peers, 0, facts);
  if ("declined" in planned) throw noPolicy(event.kind);
  const { lotMbps, slots, priceCap } = planned.terms;
  const terms = { lotMbps, slots, priceCap };
  const plan = decideBid({ ...emptyMesh(event.id), event }, terms, funds, priority, facts);
  const included = peers.filter((peer) => peer.included);
  const own = regionOf(site, site.self).prefixes;
  return {
    event,
    demandReason,
    peers,
    fabric: planned.fabric,
    terms,
    bid:
      "declined" in plan
        ? plan
        : {
            price: plan.price,
            lots: plan.lots,
            boostBps: plan.boostBps,
            bond: plan.bond.toString(),
            reasons: [...plan.reasons],
          },
    maxCost: "declined" in plan ? "0" : (BigInt(plan.price) * BigInt(plan.lots) * BigInt(terms.slots)).toString(),
    interfaces: included.map((peer) => ({ peer: peer.name, devicePrefix: "eph" })),
    routes: included.flatMap((peer) => {
      const theirs = site.regions().get(peer.id)?.prefixes ?? [];
      return own.flatMap((source) =>
        theirs
          .filter((destination) => isSameFamily(source, destination))
          .map((destination) => ({ source, destination, via: peer.name })),
      );
    }),
  };
}

function noPolicy(kind: EventKind): EphemeshError {
  return new EphemeshError(
    "TRIGGER_NO_POLICY",
    `The policy buys nothing for a ${kind}. Nothing was started.`,
    `Add buy.${kind} to the configuration and send SIGHUP.`,
  );
}
