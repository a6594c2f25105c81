/** What an audit verified, kept by its auditor: the next one goes on from there. */
import type { Hex } from "viem";
import { z } from "zod";
import { EphemeshError } from "../model/errors.ts";
import { fromJson, toJson } from "../model/json.ts";

const count = z.number().int().nonnegative();
const credit = z.strictObject({ delivered: z.bigint(), failed: z.bigint(), day: count });
const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .transform((text) => text as Hex);
const checkpointFile = z.strictObject({
  format: z.literal(2),
  chainId: count,
  reputation: z.string(),
  region: count.nullable(),
  everyBlock: z.boolean(),
  block: count,
  hash,
  settlements: count,
  sellers: z.array(z.tuple([count, z.strictObject({ current: credit, checkpoint: credit })])),
  pairs: z.array(z.tuple([z.string(), credit])),
  creditSuspensions: z.array(z.strictObject({ lower: count, higher: count, until: count })),
  regions: z.array(
    z.tuple([
      count,
      z.strictObject({
        settlementsAsSeller: count,
        settlementsAsBuyer: count,
        termSecondsAsSeller: count,
        termSecondsAsBuyer: count,
        voidSecondsAsSeller: count,
        voidSecondsAsBuyer: count,
        disputedAsSeller: count,
        disputedAsBuyer: count,
      }),
    ]),
  ),
});
export type Checkpoint = z.infer<typeof checkpointFile>;

export function checkpointText(checkpoint: Checkpoint): string {
  return `${toJson(checkpoint)}\n`;
}

/** @throws EphemeshError CHECKPOINT_UNREADABLE */
export function parseCheckpoint(text: string, file: string): Checkpoint {
  try {
    return checkpointFile.parse(fromJson(text));
  } catch (cause) {
    throw new EphemeshError(
      "CHECKPOINT_UNREADABLE",
      `The checkpoint ${file} cannot be used: ${cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message}.`,
      "It was left as it is. Name another file, and the audit begins at the deployment.",
      { cause },
    );
  }
}
