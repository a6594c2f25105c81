/** From what somebody asks for to how much capacity for how long. Pure. */
import { z } from "zod";
import { EVENT_KINDS } from "../model/event.ts";
import { MAX_TERM_SECONDS, SLOT_SECONDS } from "../model/market.ts";
import { REQUESTED_TOPOLOGIES } from "../model/topology-mode.ts";

export const triggerRequest = z
  .strictObject({
    kind: z.enum(EVENT_KINDS),
    /** Either this … */
    mbps: z.number().int().min(1).max(1_000_000).optional(),
    durationSeconds: z.number().int().min(SLOT_SECONDS).max(MAX_TERM_SECONDS).optional(),
    /** … or how much has to be where by when. */
    sizeBytes: z
      .number()
      .int()
      .min(1)
      .max(2 ** 53)
      .optional(),
    deadlineSeconds: z.number().int().min(30).max(MAX_TERM_SECONDS).optional(),
    /** To how many regions the same data goes. */
    copies: z.number().int().min(1).max(1000).default(1),
    /** The event lasts until it is resolved (`down`): before the term ends, the same is bought again. */
    renew: z.boolean().default(false),
    topology: z.enum(REQUESTED_TOPOLOGIES).optional(),
    reason: z.string().max(200).optional(),
    /** Of the asker's choosing: the same request again, after a time-out for one, starts no second event. */
    requestId: z.string().min(1).max(80).optional(),
  })
  .refine((r) => r.mbps !== undefined || (r.sizeBytes !== undefined && r.deadlineSeconds !== undefined), {
    message: "say mbps (and durationSeconds), or sizeBytes and deadlineSeconds",
  })
  .refine((r) => r.mbps === undefined || (r.sizeBytes === undefined && r.deadlineSeconds === undefined), {
    message: "say either mbps, or sizeBytes and deadlineSeconds, which give it",
  });
export type TriggerRequest = z.infer<typeof triggerRequest>;

export interface Demand {
  readonly demandMbps: number;
  readonly durationSeconds: number;
  readonly demandReason: string;
}

/** Inner bytes cost headers and acknowledgements: 96.3 % of a leased rate is what TCP can carry at most. */
const GOODPUT = 0.95;
const DEFAULT_SECONDS = 600;

/**
 * @param setUpSeconds from the trigger to the first packet: the auction's windows and the lead before a lease starts
 * @returns null where the deadline leaves no time to transfer anything
 */
export function demandOf(request: TriggerRequest, setUpSeconds: number): Demand | null {
  if (request.mbps !== undefined)
    return {
      demandMbps: request.mbps,
      durationSeconds: request.durationSeconds ?? request.deadlineSeconds ?? DEFAULT_SECONDS,
      demandReason: `${request.mbps} Mbit/s were asked for`,
    };
  const deadline = request.deadlineSeconds ?? 0;
  const seconds = deadline - setUpSeconds;
  if (seconds < 1) return null;
  const megabits = ((request.sizeBytes ?? 0) * 8 * request.copies) / 1e6;
  const demandMbps = Math.max(1, Math.ceil(megabits / seconds / GOODPUT));
  return {
    demandMbps,
    durationSeconds: request.durationSeconds ?? deadline,
    demandReason: `${Math.ceil(megabits / 8)} MB in ${deadline} s, of which ${setUpSeconds} s go by until the first packet`,
  };
}
