/** What an operator does: each needs the token that api.tokenFile names. */
import { randomUUID } from "node:crypto";
import type { dryRun, startEvent } from "../api/trigger.ts";
import { EphemeshError } from "../model/errors.ts";
import type { EventKind } from "../model/event.ts";
import { triggerRequest } from "../trigger/demand.ts";
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

export async function trigger(kind: EventKind, options: TriggerOptions): Promise<void> {
  const asked = triggerRequest.safeParse({
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
  if (!asked.success)
    throw new EphemeshError(
      "REQUEST_INVALID",
      `No such event can be: ${asked.error.issues.map(({ path, message }) => [...path, message].join(": ")).join("; ")}.`,
      "Nothing was started. `ephemesh trigger --help` has every option.",
    );
  const answer = await askAgent(options.config, "/v1/triggers", { ...asked.data, dryRun: options.dryRun ?? false });
  if (options.json) return printJson(answer);
  if (options.dryRun) return showDryRun(answer as Awaited<ReturnType<typeof dryRun>>);
  const { event, demandReason } = answer as ReturnType<typeof startEvent>;
  console.log(`event ${event.id}: ${event.demandMbps} Mbit/s for ${event.durationSeconds} s (${demandReason})`);
  console.log("`ephemesh mesh` shows what becomes of it.");
}

export async function drain(options: Options & { readonly off?: boolean }): Promise<void> {
  const draining = options.off !== true;
  const answer = await askAgent(options.config, "/v1/drain", { draining });
  if (options.json) return printJson(answer);
  console.log(
    draining
      ? "draining until `ephemesh drain --off`: nothing new is started; what runs is finished"
      : "taking part again",
  );
}

export async function down(event: string | undefined, options: Options): Promise<void> {
  const answer = (await askAgent(options.config, "/v1/down", event === undefined ? {} : { key: event })) as {
    ending: string[];
  };
  if (options.json) return printJson(answer);
  console.log(
    answer.ending.length
      ? `ending ${answer.ending.join(", ")}: leases are released, links go, what was delivered is settled`
      : "no event of this region is under way",
  );
}

function showDryRun(plan: Awaited<ReturnType<typeof dryRun>>): void {
  console.log(
    `${plan.event.demandMbps} Mbit/s for ${plan.event.durationSeconds} s: ${plan.demandReason}. Nothing was started.`,
  );
  printTable(
    ["region", "round trip ms", "in reach", "why"],
    plan.peers.map((p) => [
      p.name,
      p.rttMicros === null ? null : (p.rttMicros / 1000).toFixed(1),
      p.included ? "yes" : "no",
      p.reason,
    ]),
  );
  console.log(`fabric: ${plan.fabric.name}: ${plan.fabric.reason}`);
  console.log(
    `auction: lots of ${plan.terms.lotMbps} Mbit/s, ${plan.terms.slots} slots of 60 s, cap ${plan.terms.priceCap}`,
  );
  if ("declined" in plan.bid) console.log(`no bid: ${plan.bid.declined}`);
  else for (const reason of plan.bid.reasons) console.log(`bid: ${reason}`);
  console.log(`it costs at most ${plan.maxCost} price units`);
  printTable(
    ["from", "to", "by a link to"],
    plan.routes.map((r) => [r.source, r.destination, r.via]),
  );
}
