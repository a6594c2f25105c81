/** What a lab is made of: regions with their place on earth, the standing peering, the faster fabrics, the delays. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { EphemeshError } from "../../agent/model/errors.ts";
import { MAX_FABRICS, MAX_REGIONS } from "./addressing.ts";

const name = z.string().regex(/^[a-z][a-z0-9-]{0,23}$/, "lower-case letters, digits and dashes, at most 24");

const medium = {
  name,
  /** What one direction of one pair carries; absent: no limit. */
  pairMbps: z.number().positive().max(10_000).optional(),
  /** How long a frame may wait for its turn before it is dropped. */
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
    /** Slow, and shared by everybody: `sharedMbps` is for all pairs together. */
    peering: z.strictObject({ ...medium, sharedMbps: z.number().positive().max(10_000) }),
    /** Faster media that the mesh may run over; `members` absent: all regions. */
    fabrics: z
      .array(z.strictObject({ ...medium, members: z.array(name).min(2).optional() }))
      .min(1)
      .max(MAX_FABRICS),
    /** Round-trip time from the row's region to the column's, in the order of `regions`. Light takes the same way on every medium. */
    rttMillis: z.array(z.array(z.number().nonnegative().max(2000))),
  })
  .superRefine((topology, context) => {
    const names = topology.regions.map((region) => region.name);
    const complain = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message });
    if (new Set(names).size < names.length) complain(["regions"], "two regions have one name");
    if (names.includes("core")) complain(["regions"], "`core` is the lab's own namespace");
    const media = [topology.peering, ...topology.fabrics].map((fabric) => fabric.name);
    if (new Set(media).size < media.length) complain(["fabrics"], "two media have one name");
    for (const [index, fabric] of topology.fabrics.entries())
      for (const member of fabric.members ?? [])
        if (!names.includes(member)) complain(["fabrics", index, "members"], `no region is called ${member}`);
    const square =
      topology.rttMillis.length === names.length && topology.rttMillis.every((row) => row.length === names.length);
    if (!square) complain(["rttMillis"], `must have ${names.length} rows of ${names.length} figures`);
  });
export type Topology = z.infer<typeof topologySchema>;

export function parseTopology(value: unknown, source: string): Topology {
  const parsed = topologySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new EphemeshError(
    "LAB_TOPOLOGY_INVALID",
    `${source} is not a topology:\n${z.prettifyError(parsed.error)}`,
    "Fix the file; lab/topologies/six-clouds.json shows the form.",
  );
}

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

/** Equal delays everywhere: for tests and for benchmarks that compare with published figures. */
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

/** 1, 2, 3 …: what addresses are made from. */
export function regionIndex(topology: Topology, region: string): number {
  const index = topology.regions.findIndex((candidate) => candidate.name === region);
  if (index >= 0) return index + 1;
  throw new EphemeshError(
    "LAB_UNKNOWN_REGION",
    `The lab has no region ${JSON.stringify(region)}.`,
    `Use one of ${topology.regions.map((known) => known.name).join(", ")}.`,
  );
}

/** 0 is the peering, 1 … the faster fabrics. */
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

/** Regions on a fabric, in the order of the topology. */
export function membersOf(topology: Topology, fabric: string): readonly string[] {
  const names = topology.regions.map((region) => region.name);
  const members = topology.fabrics.find((candidate) => candidate.name === fabric)?.members;
  return members === undefined ? names : names.filter((region) => members.includes(region));
}
