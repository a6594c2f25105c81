/** Commands that change something; each sends the token from api.tokenFile. */
import { randomUUID } from "node:crypto";
import type { DownAnswer, DryRunAnswer, TriggerAnswer } from "../api/schemas.ts";
import { EphemeshError } from "../model/errors.ts";
import type { EventKind } from "../model/event.ts";
import { describeProblems, triggerRequest } from "../trigger/demand.ts";
import { askAgent } from "./api-client.ts";
import { printJson, printTable } from "./table.ts";

interface Options {
  readonly config: string;
  readonly json?: boolean;
}

interface TriggerOptions extends Options {
  readonly mbps?: number;
  readonly for?: number;
  readonly size?: number;
  readonly deadline?: number;
  readonly copies?: number;
  readonly topology?: string;
  readonly renew?: boolean;
  readonly dryRun?: boolean;
}

/** Starts an event, or with dryRun shows what it would do. @throws EphemeshError REQUEST_INVALID, those of `askAgent` */
export async function trigger(kind: EventKind, options: TriggerOptions): Promise<void> {
  const request = triggerRequest.safeParse({
    kind,
    mbps: options.mbps,
    durationSeconds: options.for,
    sizeBytes: options.size,
    deadlineSeconds: options.deadline,
    copies: options.copies,
    topology: options.topology,
    renew: options.renew ?? false,
    reason: "operator",
    requestId: randomUUID(),
  });
  if (!request.success)
    throw new EphemeshError(
      "REQUEST_INVALID",
      `Invalid trigger: ${describeProblems(request.error)}. Nothing was started.`,
      "`ephemesh trigger --help` describes the options.",
    );
  const answer = await askAgent<TriggerAnswer | DryRunAnswer>(options.config, "/v1/triggers", {
    ...request.data,
    dryRun: options.dryRun ?? false,
  });
  if (options.json) return printJson(answer);
  if ("maxCost" in answer) return showDryRun(answer);
  const { event, demandReason } = answer;
  console.log(`event ${event.id}: ${event.demandMbps} Mbit/s for ${event.durationSeconds} s (${demandReason})`);
  console.log("`ephemesh mesh` shows its progress.");
}

/** Begins or ends draining. @throws EphemeshError those of `askAgent` */
export async function drain(options: Options & { readonly off?: boolean }): Promise<void> {
  const draining = options.off !== true;
  const answer = await askAgent(options.config, "/v1/drain", { draining });
  if (options.json) return printJson(answer);
  console.log(
    draining
      ? "Draining until `ephemesh drain --off`: nothing new is started, what runs is finished."
      : "No longer draining: this region trades again.",
  );
}

/** Ends one event (by key or number of its mesh), or all. @throws EphemeshError those of `askAgent` */
export async function down(event: string | undefined, options: Options): Promise<void> {
  const answer = await askAgent<DownAnswer>(options.config, "/v1/down", event === undefined ? {} : { key: event });
  if (options.json) return printJson(answer);
  console.log(
    answer.ending.length
      ? `Ending ${answer.ending.join(", ")}: leases are released, links removed, deliveries settled.`
      : "No event of this region runs.",
  );
}

function showDryRun(plan: DryRunAnswer): void {
  console.log(
    `${plan.event.demandMbps} Mbit/s for ${plan.event.durationSeconds} s (${plan.demandReason}). Nothing was started.`,
  );
  printTable(
    ["region", "round trip ms", "distance km", "in reach", "reason"],
    plan.peers.map((p) => [
      p.name,
      p.rttMicros === null ? null : (p.rttMicros / 1000).toFixed(1),
      p.distanceKm,
      p.included ? "yes" : "no",
      p.reason,
    ]),
  );
  console.log(
    `auction on ${plan.fabric.name} (${plan.fabric.reason}): lots of ${plan.terms.lotMbps} Mbit/s, ${plan.terms.slots} slots of 60 s, price cap ${plan.terms.priceCap} for a lot and slot`,
  );
  if ("declined" in plan.bid) console.log(`no bid: ${plan.bid.declined}`);
  else for (const reason of plan.bid.reasons) console.log(`bid: ${reason}`);
  console.log(`highest cost: ${plan.maxCost} price units`);
  printTable(
    ["from", "to", "via"],
    plan.routes.map((r) => [r.source, r.destination, r.via]),
  );
}
