/** The file that an auditor keeps after an audit: the next audit starts from its block. */
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

/** The content of a checkpoint file; `parseCheckpoint` reads it. */
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
      `Cannot read the checkpoint ${file}: ${cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message}.`,
      "The file was left unchanged. Name a file that does not exist to start the audit at the deployment.",
      { cause },
    );
  }
}
