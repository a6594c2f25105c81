import { z } from "zod";

/** Whether the agent is to drain from here on, or, with false, to take part again. */
export const drainRequest = z.strictObject({ draining: z.boolean().default(true) });
