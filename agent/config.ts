/**
 * The configuration: one YAML file, one schema, parsed once. All problems are listed together, each with the path of its
 * value. An unknown key is refused, so that a typing error does not become a default.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { parseDocument } from "yaml";
import { z } from "zod";
import { ipAddress as address, isSameFamily } from "./model/address.ts";
import { EphemeshError } from "./model/errors.ts";
import { EVENT_KINDS } from "./model/event.ts";
import { BPS, MAX_BOOST_BPS, PROFILES } from "./model/market.ts";
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
  name: name.describe("Name of this underlay, unique in this file."),
  fabric: name.describe(
    "Shared network (exchange, campus, cloud) that the underlay reaches, as registered on chain; one underlay for each.",
  ),
  device: device.describe("Network interface that carries the encrypted links. It must not be a primary device."),
  address: address.describe("Own IP address on that device."),
  gateway: address
    .optional()
    .describe("Router to peers outside the device's subnet, of the same family as address. Absent: all are in it."),
  endpoint: address.describe("IP address at which peers reach this underlay; differs from address behind a NAT."),
  ports: ports.describe("Range of UDP ports for links, FIRST-LAST, from 1024 to 65535: one port for each link."),
  spareMbps: mbps.describe("Capacity that this underlay has to spare, each way, in Mbit/s."),
});

const buyPolicy = z.strictObject({
  maxPrice: priceUnits.describe("Highest price of 100 Mbit/s for one slot of 60 s, in price units."),
  boost: z
    .number()
    .min(0)
    .max(MAX_BOOST_BPS / BPS)
    .default(0)
    .describe(
      `Priority of bids as a fraction of the price, at most ${MAX_BOOST_BPS / BPS} × score; paid from the weekly boost budget.`,
    ),
  minScore: z
    .boolean()
    .default(false)
    .describe("Whether only sellers with at least the deployment's minimum score may sell to this region."),
  profile: z
    .enum(PROFILES)
    .default("urgent")
    .describe("Length of the auction's phases, as deployed: urgent is short, normal gives sellers more time."),
  maxMbps: mbps.describe("Largest capacity to buy for one event, in Mbit/s."),
  budgetPerDay: z.number().int().min(1).describe("Most that bids may cost in a UTC day, in price units."),
});

const trigger = z.discriminatedUnion("on", [
  z.strictObject({
    on: z.literal("webhook").describe("What starts the event: a POST request to the API, with the operator's token."),
    path: z
      .string()
      .regex(/^\/v1\/triggers\/[a-z0-9-]+$/, "/v1/triggers/NAME, with lower-case letters, digits and dashes")
      .describe("Path of the request, /v1/triggers/NAME."),
    event: z.enum(EVENT_KINDS).describe("Kind of event that the request starts."),
  }),
]);

const schema = z.strictObject({
  region: name.describe("Name of this region, as registered on chain."),
  stateDir: path.default("/var/lib/ephemesh").describe("Folder of the journal and of meshd's state."),
  runDir: path.default("/run/ephemesh").describe("Folder of meshd's socket and of the process id of `ephemesh up`."),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
    .optional()
    .describe("User that the agent runs as; `ephemesh up` switches to it. Absent: the user that starts ephemesh."),
  chain: z
    .strictObject({
      rpc: z
        .array(z.url({ protocol: /^https?$/ }))
        .min(1)
        .describe("URLs of the chain's RPC nodes, http or https; the next one is asked when one fails."),
      deployment: path.describe("Folder with the deployment.json of the contracts."),
      finalityDepth: z
        .number()
        .int()
        .min(0)
        .max(1000)
        .default(0)
        .describe("Blocks to wait before a block counts as final; 0 for a chain with instant finality."),
    })
    .describe("The chain that holds register, auctions, leases and reputation."),
  keys: z
    .strictObject({
      agent: path.describe("File of the agent's private key (secp256k1, 0x and 64 hexadecimal digits), mode 0600."),
      routing: path.describe("File of the routing key (Ed25519, PEM), mode 0600; only meshd reads it."),
    })
    .describe("Private keys of this region; `ephemesh config keys FOLDER` makes them."),
  control: z
    .strictObject({
      listen: listenAddress.describe("ADDRESS:PORT on which peers' agents reach this agent (TCP)."),
    })
    .describe("The control channel between agents."),
  underlays: z.array(underlay).min(1).describe("Networks over which links to peers can be built."),
  primary: z
    .array(
      z.strictObject({
        name: name.describe("Name of this primary link."),
        device: device.describe("Its network interface. It is watched and never changed."),
        capacityMbps: mbps.describe("Its capacity, in Mbit/s."),
      }),
    )
    .min(1)
    .describe("The standing peering: the region's regular links to other regions."),
  sell: z
    .strictObject({
      floorPrice: priceUnits.describe("Lowest price of 100 Mbit/s for one slot of 60 s, in price units."),
      reserveMbps: z.number().int().min(0).describe("Part of spareMbps that is never sold, in Mbit/s."),
      perAuctionMbps: mbps.describe("Largest capacity to offer in one auction, in Mbit/s."),
    })
    .optional()
    .describe("How capacity is sold. Absent: nothing is sold."),
  buy: z
    .partialRecord(z.enum(EVENT_KINDS), buyPolicy)
    .default({})
    .describe("How capacity is bought, by kind of event. A kind that is absent buys nothing."),
  accept: z
    .strictObject({
      radius: z
        .strictObject({
          rttMillis: z.number().min(1).max(2000).describe("Longest round trip to a peer, in milliseconds."),
          km: z
            .number()
            .min(1)
            .max(20_100)
            .optional()
            .describe("Longest great-circle distance to a seller, in km. The contracts may have a larger minimum."),
        })
        .describe("How far away a peer may be."),
      require: z
        .array(z.enum(["postQuantum"]))
        .default([])
        .describe("What peers and links must have: postQuantum, a key exchange safe against quantum computers."),
    })
    .default({ radius: { rttMillis: 40 }, require: [] })
    .describe("Which peers this region trades with."),
  topology: z
    .enum(REQUESTED_TOPOLOGIES)
    .default("auto")
    .describe("Links that are added beside the leased ones: star adds none, full all, auto decides by event and size."),
  triggers: z.array(trigger).default([]).describe("What starts events, beside the command line and POST /v1/triggers."),
  routing: z
    .strictObject({
      probeMillis: z
        .number()
        .int()
        .min(50)
        .max(1000)
        .default(100)
        .describe("Time between two probes of a link, in milliseconds."),
      fallback: z
        .enum(["peering", "drop"])
        .default("peering")
        .describe("What happens to traffic of a mesh without a path: it takes the standing peering, or is dropped."),
    })
    .default({ probeMillis: 100, fallback: "peering" })
    .describe("Routing inside meshes."),
  api: z
    .strictObject({
      listen: listenAddress.describe("ADDRESS:PORT of the API; use a loopback address."),
      tokenFile: path.describe("File of the operator's token (at least 16 bytes), mode 0600; changes need this token."),
    })
    .optional()
    .describe("The operator's API, which the command line uses too. Absent: no API."),
  log: z
    .strictObject({
      level: z.enum(["error", "warn", "info", "debug"]).default("info").describe("Least severe messages to log."),
    })
    .default({ level: "info" })
    .describe("The log, JSON lines on standard error."),
});
export type Config = z.infer<typeof schema>;
export type UnderlayConfig = z.infer<typeof underlay>;
export type BuyPolicy = z.infer<typeof buyPolicy>;

/** @throws EphemeshError CONFIG_UNREADABLE, CONFIG_INVALID (every problem, one a line) */
export function loadConfig(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new EphemeshError(
      "CONFIG_UNREADABLE",
      `The configuration ${file} cannot be read: ${(cause as Error).message}.`,
      "Name an existing file with --config FILE; docs/OPERATIONS.md has an example.",
      { cause },
    );
  }
  return parseConfig(text, file);
}

/**
 * Parses and checks the text of a configuration; relative paths are relative to the file's folder.
 * @throws EphemeshError CONFIG_INVALID
 */
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

/** A file that is no configuration can hold anything of any length. */
function readable(problem: string): string {
  const printable = problem.replaceAll(/\p{Cc}/gu, "\ufffd");
  return printable.length > 300 ? `${printable.slice(0, 300)}…` : printable;
}

/** JSON Schema of the configuration file: every key with its meaning, unit and default. */
export function configJsonSchema(): unknown {
  return z.toJSONSchema(schema, { unrepresentable: "any", io: "input" });
}

/** The running configuration after SIGHUP: the policy as read now; everything else needs a restart. */
export function withPolicyOf(running: Config, { sell, buy, accept, topology, triggers, routing, log }: Config): Config {
  const { sell: _, ...rest } = running;
  return {
    ...rest,
    ...(sell && { sell }),
    ...{ buy, accept, topology, triggers, log },
    routing: { ...running.routing, fallback: routing.fallback },
  };
}

/** The part of the configuration that meshd gets. */
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
    logLevel: config.log.level,
  };
}

/** Path of the unix socket between agent and meshd. */
export function meshdSocket(config: Config): string {
  return `${config.runDir}/meshd.sock`;
}

/**
 * The trimmed content of a file that its owner alone can read.
 * @throws EphemeshError SECRET_UNREADABLE, SECRET_EXPOSED, SECRET_EMPTY
 */
export function readSecret(file: string): string {
  try {
    const mode = statSync(file).mode & 0o777;
    if (mode & 0o077)
      throw new EphemeshError(
        "SECRET_EXPOSED",
        `The secret ${file} can be read by others (mode ${mode.toString(8)}); it was not used.`,
        `Run \`chmod 600 ${file}\`; if others may have read it, replace it.`,
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
      "Put it there with mode 0600, owned by the user that runs ephemesh.",
      { cause },
    );
  }
}

function contradictions(config: Config): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  const fabrics = new Set<string>();
  for (const { name: underlayName, fabric, device: underlayDevice, address: own, gateway } of config.underlays) {
    if (seen.has(underlayName)) problems.push(`underlays: the name "${underlayName}" is used twice`);
    seen.add(underlayName);
    if (fabrics.has(fabric))
      problems.push(
        `underlays.${underlayName}.fabric: another underlay is on ${fabric}; a fabric can have one underlay`,
      );
    fabrics.add(fabric);
    if (config.primary.some((p) => p.device === underlayDevice))
      problems.push(
        `underlays.${underlayName}.device: ${underlayDevice} is a primary device; a link must not run over the standing peering`,
      );
    if (gateway && !isSameFamily(own, gateway))
      problems.push(`underlays.${underlayName}.gateway: must be of the same IP family as address`);
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
  return [`${at || "(file)"}: ${missing ? "is missing" : issue.message}`];
}

/** The keys that the schema allows at a path. */
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
