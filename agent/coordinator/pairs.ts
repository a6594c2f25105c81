/** Measured round trips as they go over the control channel: one flat list, three numbers a pair (lower id, higher id, µs). */
import { z } from "zod";
import { regionId } from "../model/ids.ts";
import type { MeasuredPair } from "../topology/topology.ts";

/** All among 200 participants. With ids of five digits they fit into one message. */
export const MAX_PAIRS = 20_000;

/** Up to ten seconds: a ping is given less, and to plan with a longer one is to plan with none. */
const triple = z.tuple([regionId, regionId, z.number().int().min(0).max(9_999_999)]);

export const pairsOnWire = z
  .array(z.number())
  .max(3 * MAX_PAIRS)
  .transform((flat, context): MeasuredPair[] => {
    const pairs: MeasuredPair[] = [];
    for (let at = 0; at < flat.length; at += 3) {
      const parsed = triple.safeParse(flat.slice(at, at + 3));
      if (!parsed.success) {
        context.addIssue({ code: "custom", message: `no pair and round trip at ${at}` });
        return z.NEVER;
      }
      const [a, b, rttMicros] = parsed.data;
      pairs.push({ a, b, rttMicros });
    }
    return pairs;
  });

/** As `pairsOnWire` reads them. */
export function flattened(pairs: readonly MeasuredPair[]): number[] {
  return pairs.flatMap(({ a, b, rttMicros }) => [a, b, rttMicros]);
}

/** So many as go into one message: the shortest, since over a long one no link is planned first. */
export function bounded(pairs: readonly MeasuredPair[]): readonly MeasuredPair[] {
  if (pairs.length <= MAX_PAIRS) return pairs;
  return pairs.toSorted((one, other) => one.rttMicros - other.rttMicros).slice(0, MAX_PAIRS);
}
