/** How the register is kept in the journal. */
import { z } from "zod";
import { regionId } from "../model/ids.ts";
import { fromJson, toJson } from "../model/json.ts";
import { ATTRIBUTES, type Region } from "../model/region.ts";
import type { Register } from "../model/register.ts";

const count = z.number().int().min(0);
const hex = z.templateLiteral(["0x", z.string().regex(/^([0-9a-fA-F]{2})*$/)]);
const texts = z.array(z.string());

const region: z.ZodType<Region> = z.object({
  id: regionId,
  name: z.string(),
  organisation: count,
  treasury: hex,
  agentKey: hex,
  routingKey: hex,
  place: z.object({ x: z.number(), y: z.number(), z: z.number() }),
  prefixes: texts,
  fabrics: texts,
  attributes: z.array(z.enum(ATTRIBUTES)),
  controlUrls: texts,
  active: z.boolean(),
});

const keptRegister = z.object({
  self: regionId,
  constants: z.object({
    clearBlocks: count,
    minBond: z.bigint(),
    maxCosine: z.number(),
    urgentBlocks: count,
    normalBlocks: count,
  }),
  regions: z.array(region),
  fabrics: texts,
});

/** As `registerFromText` reads it. */
export function registerToText({ regions, ...rest }: Register): string {
  return toJson({ ...rest, regions: [...regions.values()] });
}

/** Null where the text is damaged or another version wrote it: the register can be read from the chain again. */
export function registerFromText(text: string): Register | null {
  try {
    const { regions, ...rest } = keptRegister.parse(fromJson(text));
    return { ...rest, regions: new Map(regions.map((each) => [each.id, each])) };
  } catch {
    return null;
  }
}
