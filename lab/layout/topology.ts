/** The topology of a lab: regions with their places on earth, the standing peering, faster fabrics, delays. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { EphemeshError } from "../../agent/model/errors.ts";
import { MAX_FABRICS, MAX_REGIONS } from "./addressing.ts";

const name = z.string().regex(/^[a-z][a-z0-9-]{0,23}$/, "lower-case letters, digits and dashes, at most 24");

const medium = {
  name,
  /** Rate of one direction of one pair; absent: no limit. */
  pairMbps: z.number().positive().max(10_000).optional(),
  /** How long a frame may wait in the queue before it is dropped. */
  queueMillis: z.number().positive().max(1000),
  mtu: z.number().int().min(1280).max(9000),
};

const topologySchema = z
  .strictObject({
    name,
    about: z.string(),
    regions: z
      .array(
        z.strictObject({
          name,
          city: z.string(),
          latitude: z.number().min(-90).max(90),
          longitude: z.number().min(-180).max(180),
        }),
      )
      .min(2)
      .max(MAX_REGIONS),
    /** Slow and shared: `sharedMbps` is for all pairs together. */
    peering: z.strictObject({ ...medium, sharedMbps: z.number().positive().max(10_000) }),
    /** Faster fabrics that a mesh may use; `members` absent: all regions. */
    fabrics: z
      .array(z.strictObject({ ...medium, members: z.array(name).min(2).optional() }))
      .min(1)
      .max(MAX_FABRICS),
    /** Round-trip times from the row's region to the column's, in the order of `regions`, on every fabric. */
    rttMillis: z.array(z.array(z.number().nonnegative().max(2000))),
  })
  .superRefine((topology, context) => {
    const names = topology.regions.map((region) => region.name);
    const complain = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message });
    if (new Set(names).size < names.length) complain(["regions"], "two regions have the same name");
    if (names.includes("core")) complain(["regions"], "`core` is the lab's own namespace");
    const media = [topology.peering, ...topology.fabrics].map((fabric) => fabric.name);
    if (new Set(media).size < media.length) complain(["fabrics"], "two fabrics have the same name");
    for (const [index, fabric] of topology.fabrics.entries())
      for (const member of fabric.members ?? [])
        if (!names.includes(member)) complain(["fabrics", index, "members"], `no region is called ${member}`);
    const square =
      topology.rttMillis.length === names.length && topology.rttMillis.every((row) => row.length === names.length);
    if (!square) complain(["rttMillis"], `must have ${names.length} rows of ${names.length} figures`);
  });
export type Topology = z.infer<typeof topologySchema>;

/** @param source names in errors where the value is from. @throws EphemeshError LAB_TOPOLOGY_INVALID */
export function parseTopology(value: unknown, source: string): Topology {
  const parsed = topologySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new EphemeshError(
    "LAB_TOPOLOGY_INVALID",
    `${source} is not a topology:\n${z.prettifyError(parsed.error)}`,
    "Fix the file; lab/topologies/six-clouds.json is an example.",
  );
}

/** @throws EphemeshError LAB_TOPOLOGY_UNREADABLE, LAB_TOPOLOGY_INVALID */
export async function readTopology(path: string | URL): Promise<Topology> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new EphemeshError(
      "LAB_TOPOLOGY_UNREADABLE",
      `Cannot read the topology ${path}.`,
      "Give the path of a topology file.",
      { cause },
    );
  }
  try {
    return parseTopology(JSON.parse(text), String(path));
  } catch (cause) {
    if (cause instanceof EphemeshError) throw cause;
    throw new EphemeshError(
      "LAB_TOPOLOGY_INVALID",
      `${path} is not JSON: ${(cause as Error).message}`,
      "Fix the file.",
      { cause },
    );
  }
}

/** The same delay between all regions, for tests and benchmarks. */
export function uniformTopology(options: {
  regions: number;
  rttMillis: number;
  fabrics?: number;
  peeringMbps?: number;
  pairMbps?: number;
}): Topology {
  const indices = Array.from({ length: options.regions }, (_, index) => index);
  return parseTopology(
    {
      name: "uniform",
      about: `${options.regions} regions, ${options.rttMillis} ms apart`,
      regions: indices.map((index) => ({ name: `r${index + 1}`, city: "", latitude: 0, longitude: index })),
      peering: { name: "peering", sharedMbps: options.peeringMbps ?? 20, queueMillis: 100, mtu: 1500 },
      fabrics: Array.from({ length: options.fabrics ?? 1 }, (_, index) => ({
        name: `fabric-${index + 1}`,
        pairMbps: options.pairMbps ?? 1000,
        queueMillis: 50,
        mtu: 1500,
      })),
      rttMillis: indices.map((from) => indices.map((to) => (from === to ? 0 : options.rttMillis))),
    },
    "uniform topology",
  );
}

/** 1, 2, 3 … @throws EphemeshError LAB_UNKNOWN_REGION */
export function regionIndex(topology: Topology, region: string): number {
  const index = topology.regions.findIndex((candidate) => candidate.name === region);
  if (index >= 0) return index + 1;
  throw new EphemeshError(
    "LAB_UNKNOWN_REGION",
    `The lab has no region ${JSON.stringify(region)}.`,
    `Use one of ${topology.regions.map((known) => known.name).join(", ")}.`,
  );
}

/** 0 for the peering, 1, 2 … for the fabrics. @throws EphemeshError LAB_UNKNOWN_FABRIC */
export function fabricIndex(topology: Topology, fabric: string): number {
  const media = [topology.peering, ...topology.fabrics];
  const index = media.findIndex((candidate) => candidate.name === fabric);
  if (index >= 0) return index;
  throw new EphemeshError(
    "LAB_UNKNOWN_FABRIC",
    `The lab has no fabric ${JSON.stringify(fabric)}.`,
    `Use one of ${media.map((known) => known.name).join(", ")}.`,
  );
}

/** Regions on a fabric or the peering, in the order of the topology. */
export function membersOf(topology: Topology, fabric: string): readonly string[] {
  const names = topology.regions.map((region) => region.name);
  const members = topology.fabrics.find((candidate) => candidate.name === fabric)?.members;
  return members === undefined ? names : names.filter((region) => members.includes(region));
}
