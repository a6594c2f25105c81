/** From a request to capacity and duration. Pure. */
import { z } from "zod";
import { EVENT_KINDS } from "../model/event.ts";
import { MAX_TERM_SECONDS, SLOT_SECONDS } from "../model/market.ts";
import { REQUESTED_TOPOLOGIES } from "../model/topology-mode.ts";

export const triggerFields = {
  kind: z.enum(EVENT_KINDS).describe("What happens; the policy buys by kind."),
  mbps: z.number().int().min(1).max(1_000_000).optional().describe("Capacity, in Mbit/s."),
  durationSeconds: z
    .number()
    .int()
    .min(SLOT_SECONDS)
    .max(MAX_TERM_SECONDS)
    .optional()
    .describe("Duration in seconds. Default: deadlineSeconds, else 600."),
  sizeBytes: z
    .number()
    .int()
    .min(1)
    .max(2 ** 53)
    .optional()
    .describe("Instead of mbps: amount to transfer, in bytes."),
  deadlineSeconds: z
    .number()
    .int()
    .min(30)
    .max(MAX_TERM_SECONDS)
    .optional()
    .describe("With sizeBytes: when the transfer must be complete, in seconds from now."),
  copies: z.number().int().min(1).max(1000).default(1).describe("Number of regions that receive the same data."),
  renew: z
    .boolean()
    .default(false)
    .describe("Buy the same capacity again before the term ends, until the event is ended."),
  topology: z
    .enum(REQUESTED_TOPOLOGIES)
    .optional()
    .describe("Links to add beside the leased ones. Default: the configuration's topology."),
  reason: z.string().max(200).optional().describe("Free text, kept with the event."),
  requestId: z
    .string()
    .min(1)
    .max(80)
    .optional()
    .describe("Chosen by the client. The same id again, as after a time-out, starts no second event."),
} as const;

export const triggerRequest = z
  .strictObject(triggerFields)
  .refine((r) => r.mbps !== undefined || (r.sizeBytes !== undefined && r.deadlineSeconds !== undefined), {
    message: "give either mbps (and durationSeconds), or sizeBytes and deadlineSeconds",
  })
  .refine((r) => r.mbps === undefined || (r.sizeBytes === undefined && r.deadlineSeconds === undefined), {
    message: "give either mbps, or sizeBytes and deadlineSeconds, not both",
  });
export type TriggerRequest = z.infer<typeof triggerRequest>;

/** The problems of a refused request on one line, each with its field. */
export function describeProblems(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => [...path, message].join(": ")).join("; ");
}

export interface Demand {
  readonly demandMbps: number;
  readonly durationSeconds: number;
  /** How the demand follows from the request. */
  readonly demandReason: string;
}

/** Part of a leased rate that TCP's payload gets; headers and acknowledgements leave at most 96.3 %. */
const GOODPUT = 0.95;
const DEFAULT_SECONDS = 600;

/**
 * The capacity in Mbit/s and the duration in seconds that a request needs.
 * @param setUpSeconds from the trigger to the first packet: the auction's windows and the lead before a lease starts
 * @returns null if the deadline leaves no time to transfer anything
 */
export function demandOf(request: TriggerRequest, setUpSeconds: number): Demand | null {
  if (request.mbps !== undefined)
    return {
      demandMbps: request.mbps,
      durationSeconds: request.durationSeconds ?? request.deadlineSeconds ?? DEFAULT_SECONDS,
      demandReason: `${request.mbps} Mbit/s requested`,
    };
  const deadline = request.deadlineSeconds ?? 0;
  const seconds = deadline - setUpSeconds;
  if (seconds < 1) return null;
  const megabits = ((request.sizeBytes ?? 0) * 8 * request.copies) / 1e6;
  const demandMbps = Math.max(1, Math.ceil(megabits / seconds / GOODPUT));
  return {
    demandMbps,
    durationSeconds: request.durationSeconds ?? deadline,
    demandReason: `${Math.ceil(megabits / 8)} MB in ${deadline} s, of which the set-up takes ${setUpSeconds} s`,
  };
}
