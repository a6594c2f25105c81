/**
 * The configuration: one YAML file, one schema, parsed once. Every problem is listed at once, with the path of the
 * value, and an unknown key is refused with the nearest known one, so that a typing error never becomes a default.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { parseDocument } from "yaml";
import { z } from "zod";
import { ipAddress as address } from "./model/address.ts";
import { EphemeshError } from "./model/errors.ts";
import { EVENT_KINDS } from "./model/event.ts";
import { PROFILES } from "./model/market.ts";
import type { MeshdConfig } from "./model/meshd-messages.ts";
import { REQUESTED_TOPOLOGIES } from "./model/topology-mode.ts";

const name = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,62}$/, "lower-case letters, digits, dots and dashes");
/** What Linux takes as an interface name, less what could be read as an option or a path. */
const device = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,14}$/, "a Linux interface name (1–15 characters)");
const path = z.string().min(1);
const mbps = z.number().int().min(1).max(1_000_000);
const priceUnits = z
  .number()
  .int()
  .min(1)
  .max(2 ** 32 - 1);
const listenAddress = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[0-9.]+):\d{1,5}$/, "ADDRESS:PORT, e.g. 127.0.0.1:7358");

const ports = z
  .string()
  .regex(/^\d{1,5}-\d{1,5}$/, "FIRST-LAST, e.g. 51820-51919")
  .refine((text) => {
    const [first = 0, last = 0] = text.split("-").map(Number);
    return first >= 1024 && first <= last && last <= 65535;
  }, "a range of ports from 1024 to 65535, first not above last");

const underlay = z.strictObject({
  name,
  fabric: name,
  device,
  address,
  gateway: address.optional(),
  endpoint: address,
  ports,
  spareMbps: mbps,
});

const buyPolicy = z.strictObject({
  /** Most that a lot of 100 Mbit/s may cost for one slot of 60 s, in price units. */
  maxPrice: priceUnits,
  boost: z.number().min(0).max(0.25).default(0),
  minScore: z
    .boolean()
    .default(false)
    .describe("Only sellers whose score reaches the deployment's least score may sell to this region."),
  profile: z
    .enum(PROFILES)
    .default("urgent")
    .describe(
      "Length of the auction's phases, from the deployment: `urgent` is short, `normal` leaves more sellers time.",
    ),
  maxMbps: mbps,
  budgetPerDay: z.number().int().min(1),
});

const trigger = z.discriminatedUnion("on", [
  z.strictObject({
    on: z.literal("webhook"),
    path: z.string().regex(/^\/v1\/triggers\/[a-z0-9-]+$/),
    event: z.enum(EVENT_KINDS),
  }),
]);

const schema = z.strictObject({
  region: name,
  stateDir: path.default("/var/lib/ephemesh"),
  runDir: path.default("/run/ephemesh"),
  /** The user as whom the agent runs; `ephemesh up` must be root to switch. Without it the agent runs as the caller. */
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
    .optional(),
  chain: z.strictObject({
    rpc: z.array(z.url({ protocol: /^https?$/ })).min(1),
    deployment: path,
    finalityDepth: z.number().int().min(0).max(1000).default(0),
  }),
  keys: z.strictObject({ agent: path, routing: path }),
  control: z.strictObject({ listen: listenAddress }),
  underlays: z.array(underlay).min(1),
  primary: z.array(z.strictObject({ name, device, capacityMbps: mbps })).min(1),
  sell: z
    .strictObject({ floorPrice: priceUnits, reserveMbps: z.number().int().min(0), perAuctionMbps: mbps })
    .optional(),
  buy: z.partialRecord(z.enum(EVENT_KINDS), buyPolicy).default({}),
  accept: z
    .strictObject({
      radius: z.strictObject({
        rttMillis: z.number().min(1).max(2000),
        km: z
          .number()
          .min(1)
          .max(20_100)
          .optional()
          .describe(
            "Great-circle distance within which sellers may be, besides rttMillis. The contracts' smallest cell may be wider.",
          ),
      }),
      require: z.array(z.enum(["postQuantum"])).default([]),
    })
    .default({ radius: { rttMillis: 40 }, require: [] }),
  topology: z.enum(REQUESTED_TOPOLOGIES).default("auto"),
  triggers: z.array(trigger).default([]),
  routing: z
    .strictObject({
      probeMillis: z.number().int().min(50).max(1000).default(100),
      fallback: z.enum(["peering", "drop"]).default("peering"),
    })
    .default({ probeMillis: 100, fallback: "peering" }),
  api: z.strictObject({ listen: listenAddress, tokenFile: path }).optional(),
  log: z.strictObject({ level: z.enum(["error", "warn", "info", "debug"]).default("info") }).default({ level: "info" }),
});
export type Config = z.infer<typeof schema>;
export type UnderlayConfig = z.infer<typeof underlay>;
export type BuyPolicy = z.infer<typeof buyPolicy>;

/** @throws EphemeshError CONFIG_UNREADABLE, CONFIG_INVALID (with every problem, one a line). */
export function loadConfig(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new EphemeshError(
      "CONFIG_UNREADABLE",
      `The configuration ${file} cannot be read: ${(cause as Error).message}.`,
      "Name an existing file with --config FILE; docs/OPERATIONS.md has one to start from.",
      { cause },
    );
  }
  return parseConfig(text, file);
}

/** Parses and checks the text of a configuration; relative paths are taken from the file's folder. */
export function parseConfig(text: string, file: string): Config {
  const document = parseDocument(text);
  const problems = document.errors.map((error) => error.message.split("\n")[0] ?? "not YAML");
  const parsed = problems.length === 0 ? schema.safeParse(document.toJS() ?? {}) : null;
  if (parsed && !parsed.success) for (const issue of parsed.error.issues) problems.push(...describeIssue(issue));
  if (parsed?.success) problems.push(...contradictions(parsed.data));
  if (problems.length > 0 || !parsed?.success)
    throw new EphemeshError(
      "CONFIG_INVALID",
      `The configuration ${file} has ${problems.length} problem${problems.length === 1 ? "" : "s"}:\n${problems.map((p) => `  - ${readable(p)}`).join("\n")}`,
      "Nothing was started or changed. Fix the lines above; `ephemesh config schema` prints every key.",
    );
  return withAbsolutePaths(parsed.data, dirname(resolve(file)));
}

/** What somebody took for a configuration may be anything, as long as a film. */
function readable(problem: string): string {
  const printable = problem.replaceAll(/\p{Cc}/gu, "\ufffd");
  return printable.length > 300 ? `${printable.slice(0, 300)}…` : printable;
}

export function configJsonSchema(): unknown {
  return z.toJSONSchema(schema, { unrepresentable: "any", io: "input" });
}

/** The part that meshd is told. */
export function meshdConfigOf(config: Config): MeshdConfig {
  return {
    region: config.region,
    routingKeyFile: config.keys.routing,
    stateDir: `${config.stateDir}/meshd`,
    socket: meshdSocket(config),
    underlays: config.underlays.map((u) => {
      const [portFirst = 0, portLast = 0] = u.ports.split("-").map(Number);
      return {
        name: u.name,
        device: u.device,
        address: u.address,
        ...(u.gateway ? { gateway: u.gateway } : {}),
        portFirst,
        portLast,
      };
    }),
    primaryDevices: config.primary.map((p) => p.device),
    probeMillis: config.routing.probeMillis,
  };
}

export function meshdSocket(config: Config): string {
  return `${config.runDir}/meshd.sock`;
}

/** @throws EphemeshError SECRET_UNREADABLE, SECRET_EXPOSED, SECRET_EMPTY */
export function readSecret(file: string): string {
  try {
    const mode = statSync(file).mode & 0o777;
    if (mode & 0o077)
      throw new EphemeshError(
        "SECRET_EXPOSED",
        `The secret ${file} can be read by others (mode ${mode.toString(8)}); it was not used.`,
        `chmod 600 ${file}; if others may have read it, replace the key.`,
      );
    const secret = readFileSync(file, "utf8").trim();
    if (secret === "")
      throw new EphemeshError(
        "SECRET_EMPTY",
        `The secret ${file} is empty; it was not used.`,
        "`ephemesh config keys FOLDER` makes the keys and the token of a region.",
      );
    return secret;
  } catch (cause) {
    if (cause instanceof EphemeshError) throw cause;
    throw new EphemeshError(
      "SECRET_UNREADABLE",
      `The secret ${file} cannot be read: ${(cause as Error).message}.`,
      "Put the key there with mode 0600, owned by the user that runs ephemesh.",
      { cause },
    );
  }
}

function contradictions(config: Config): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const { name: underlayName, device: underlayDevice, address: own, gateway } of config.underlays) {
    if (seen.has(underlayName)) problems.push(`underlays: the name "${underlayName}" stands twice`);
    seen.add(underlayName);
    if (config.primary.some((p) => p.device === underlayDevice))
      problems.push(
        `underlays.${underlayName}.device: ${underlayDevice} is a primary device; an ENI never runs over the standing peering`,
      );
    if (gateway && own.includes(":") !== gateway.includes(":"))
      problems.push(`underlays.${underlayName}.gateway: not of the family of its address`);
  }
  const sold = config.sell;
  if (sold)
    for (const u of config.underlays)
      if (sold.reserveMbps >= u.spareMbps)
        problems.push(
          `sell.reserveMbps: ${sold.reserveMbps} leaves nothing of the ${u.spareMbps} Mbit/s of underlay ${u.name}`,
        );
  return problems;
}

function withAbsolutePaths(config: Config, base: string): Config {
  const from = (p: string) => (isAbsolute(p) ? p : resolve(base, p));
  return {
    ...config,
    stateDir: from(config.stateDir),
    runDir: from(config.runDir),
    chain: { ...config.chain, deployment: from(config.chain.deployment) },
    keys: { agent: from(config.keys.agent), routing: from(config.keys.routing) },
    ...(config.api ? { api: { ...config.api, tokenFile: from(config.api.tokenFile) } } : {}),
  };
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const at = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(issue.path);
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      return `${at ? `${at}.` : ""}${key}: unknown key${near ? `; did you mean "${near}"?` : known.length ? `; known here: ${known.join(", ")}` : ""}`;
    });
  }
  const missing = issue.code === "invalid_type" && issue.message.includes("received undefined");
  return [`${at || "(the whole file)"}: ${missing ? "is missing" : issue.message}`];
}

/** The keys that the schema knows at a path, read from its JSON form, so that there is no second list. */
function knownKeys(at: readonly PropertyKey[]): string[] {
  type Node = {
    properties?: Record<string, Node>;
    items?: Node;
    additionalProperties?: Node;
    anyOf?: Node[];
    oneOf?: Node[];
  };
  let nodes: Node[] = [configJsonSchema() as Node];
  const alternatives = (node: Node): Node[] => [node, ...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  for (const step of at)
    nodes = nodes.flatMap(alternatives).flatMap((node) => {
      if (typeof step === "number") return node.items ? [node.items] : [];
      const child = node.properties?.[String(step)] ?? node.additionalProperties;
      return child && typeof child === "object" ? [child] : [];
    });
  return [...new Set(nodes.flatMap(alternatives).flatMap((node) => Object.keys(node.properties ?? {})))];
}

function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((k) => ({ k, d: editDistance(word.toLowerCase(), k.toLowerCase()) }))
    .sort((a, b) => a.d - b.d);
  const best = ranked[0];
  return best && best.d <= Math.max(2, Math.floor(word.length / 3)) ? best.k : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    row = next;
  }
  return row[b.length] ?? 0;
}
