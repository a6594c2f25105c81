/** `ephemesh`: every command, each loading only what it needs. Reads print tables, or JSON with --json; logs go to stderr. */
import { Command, InvalidArgumentError, Option } from "commander";
import type { AuditOptions } from "./cli/audit.ts";
import { describeError, EphemeshError } from "./model/errors.ts";
import { EVENT_KINDS, type EventKind } from "./model/event.ts";
import { REQUESTED_TOPOLOGIES } from "./model/topology-mode.ts";

/** Documented in docs/OPERATIONS.md. */
const EXIT = { failed: 1, usage: 2, unreachable: 3, notReady: 4, mismatch: 5, refused: 6 } as const;
const DEFAULT_CONFIG = "/etc/ephemesh/ephemesh.yaml";

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

const program = new Command("ephemesh")
  .description("Temporary meshes between regional networks: auction, links, routing, receipts, reputation.")
  .version("0.1.0")
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT.usage))
  .configureHelp({ sortSubcommands: false });

function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option("-c, --config <file>", "configuration", process.env.EPHEMESH_CONFIG ?? DEFAULT_CONFIG);
}

function read(name: string, description: string): Command {
  return command(name, description).option("--json", "machine-readable");
}

function untilSignal(): AbortSignal {
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ending.abort(new Error(name)));
  return ending.signal;
}

command("up", "run this region: supervises agent and meshd until SIGTERM, then leaves nothing behind").action(
  async ({ config }: Common) => {
    const { runUp } = await import("./up.ts");
    await runUp(config, untilSignal());
  },
);
command("agent", "run the agent alone (a service manager does this; it needs no privilege)").action(
  async ({ config }: Common) => {
    const { runAgent } = await import("./serve.ts");
    await runAgent(config, untilSignal());
  },
);
command("meshd", "run meshd alone (needs CAP_NET_ADMIN and nothing else)").action(async ({ config }: Common) => {
  const [{ loadConfig, meshdConfigOf }, { runMeshd }] = await Promise.all([
    import("./config.ts"),
    import("./meshd/main.ts"),
  ]);
  await runMeshd(meshdConfigOf(loadConfig(config)), untilSignal());
});
read("status", "this region at a glance")
  .addOption(new Option("--check <what>", "exit 0 if so, else 4").choices(["live", "ready"]))
  .action(async (options: Common & { check?: "live" | "ready" }) => {
    const { checkHealth, showStatus } = await import("./cli/reads.ts");
    if (options.check) process.exitCode = (await checkHealth(options.config, options.check)) ? 0 : EXIT.notReady;
    else await showStatus(options);
  });
read("doctor", "what is wrong with machine, configuration, keys, chain and peers, and how to fix it").action(
  async (options: Common) => {
    const { doctor } = await import("./cli/doctor.ts");
    process.exitCode = (await doctor(options)) ? 0 : EXIT.failed;
  },
);
read("trigger", "start an event (disaster, rollout, surge, custom)")
  .argument("<kind>", "what happens", (text: string) => {
    if (!(EVENT_KINDS as readonly string[]).includes(text))
      throw new InvalidArgumentError(`one of ${EVENT_KINDS.join(", ")}`);
    return text as EventKind;
  })
  .option("--mbps <n>", "capacity wanted, Mbit/s", whole)
  .option("--for <seconds>", "how long", whole)
  .option("--size <bytes>", "or: how much has to be transferred (k, M, G allowed)", size)
  .option("--deadline <seconds>", "by when", whole)
  .option("--renew", "it lasts until `down`: before the term ends, the same is bought again")
  .option("--copies <n>", "to how many regions the same data goes", whole)
  .addOption(new Option("--topology <mode>", "which links are added").choices(REQUESTED_TOPOLOGIES))
  .option("--dry-run", "show who is in reach, what it may cost and what would be made; start nothing")
  .action(async (kind: EventKind, options: Common & Record<string, never>) => {
    const { trigger } = await import("./cli/writes.ts");
    await trigger(kind, options);
  });
read("scan", "probe the regions that share a fabric").action(async (options: Common) =>
  (await import("./cli/reads.ts")).showScan(options),
);
read("auctions", "auctions, orders and outcomes")
  .option("--all", "also what is long over")
  .action(async (options: Common) => (await import("./cli/reads.ts")).showAuctions(options));
read("leases", "leases, receipts and settlements")
  .option("--all", "also what is long over")
  .action(async (options: Common) => (await import("./cli/reads.ts")).showLeases(options));
read("mesh", "links with measurements, routes with reasons")
  .option("--all", "also what is long over")
  .option("--watch", "again every second, until interrupted")
  .action(async (options: Common & { watch?: boolean }) => {
    const { showMeshes, watchMeshes } = await import("./cli/reads.ts");
    await (options.watch ? watchMeshes(options, untilSignal()) : showMeshes(options));
  })
  .command("trace")
  .description("where traffic to one region, or to an address that it holds, goes by class, and why")
  .argument("<destination>", "a region's name or an address")
  .action(async (destination: string, _: unknown, self: Command) =>
    (await import("./cli/trace.ts")).showTrace(destination, self.optsWithGlobals<Common>()),
  );
read("receipts", "what both sides signed, and whether it stands").action(async (options: Common) => {
  const { showReceipts } = await import("./cli/receipts.ts");
  process.exitCode = (await showReceipts(options)) ? 0 : EXIT.mismatch;
});
read("reputation", "today's scores")
  .action(async (options: Common) => (await import("./cli/reads.ts")).showReputation(options))
  .command("explain")
  .argument("<region>", "its number", whole)
  .description("which settlements make a score what it is, and what the next ones would do; proved as `audit` does")
  .option("--rpc <url>", "node to read from (need not be trusted); default: the configuration's")
  .option("--deployment <folder>", "default: the configuration's")
  .action(async (region: number, _: unknown, own: Command) => {
    const { explainReputation } = await import("./cli/explain.ts");
    process.exitCode = (await explainReputation({ ...own.optsWithGlobals<AuditOptions>(), region }))
      ? 0
      : EXIT.mismatch;
  });
read("audit", "re-derive every score from the chain's events, and prove it by the state root; trusts no node")
  .option("--rpc <url>", "node to read from (need not be trusted); default: the configuration's")
  .option("--deployment <folder>", "deployment to audit; default: the configuration's")
  .option("--block <n>", "up to this block; default: the head", whole)
  .option("--region <n>", "only this seller's score, by its number", whole)
  .option("--validators <addresses>", "who may seal blocks, with commas between; default: the deployment's")
  .addOption(
    new Option("--consensus <kind>", "how blocks are sealed; default: the deployment's").choices(["qbft", "clique"]),
  )
  .option("--quick", "read only blocks that are said to hold settlements, not every block")
  .option("--bundle <file>", "write what proves it into one file")
  .option("--verify <file>", "check such a file, without network")
  .option("--checkpoint <file>", "go on from there, and keep what was verified there")
  .action(async (options: AuditOptions) => {
    const { showAudit } = await import("./cli/audit.ts");
    process.exitCode = (await showAudit(options)) ? 0 : EXIT.mismatch;
  });
read("drain", "start nothing new from here on; what runs is finished")
  .option("--off", "take part again")
  .action(async (options: Common & { off?: boolean }) => (await import("./cli/writes.ts")).drain(options));
read("down", "end an event, or all of this region's: release, dissolve, settle")
  .argument("[event]", "the event's key or the mesh's number")
  .action(async (event: string | undefined, options: Common) => (await import("./cli/writes.ts")).down(event, options));
read("cleanup", "remove whatever a crash left in the kernel; needs root, touches only objects of ours").action(
  async (options: Common) => (await import("./cli/cleanup.ts")).cleanup(options),
);
const market = program.command("market").description("the auction's rule by itself");
market
  .command("clear")
  .argument("<file>", "a book of orders as JSON, - for standard input")
  .option("--json", "machine-readable")
  .description("what a book gives: price, fills, certificate, leases; needs no chain and no agent")
  .action(async (file: string, options: { json?: boolean }) =>
    (await import("./cli/market.ts")).clearFile(file, options),
  );
const configuration = program.command("config").description("check and explain the configuration");
configuration
  .command("check")
  .argument("<file>")
  .description("list every problem at once")
  .action(async (file: string) => {
    const { loadConfig } = await import("./config.ts");
    console.log(`${file}: region ${loadConfig(file).region}, no problems`);
  });
configuration
  .command("schema")
  .description("every key, as JSON Schema")
  .action(async () => console.log(JSON.stringify((await import("./config.ts")).configJsonSchema(), null, 2)));
configuration
  .command("keys")
  .argument("<folder>")
  .description("make an agent key, a routing key and a token for the API (mode 0600); print what to register")
  .action(async (folder: string) => (await import("./cli/keys.ts")).makeKeys(folder));

function whole(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError("a whole number");
  return Number(text);
}

function size(text: string): number {
  const match = /^(\d{1,12})([kMG]?)$/.exec(text);
  if (!match) throw new InvalidArgumentError("a number of bytes, e.g. 120M");
  return Number(match[1]) * { "": 1, k: 1e3, M: 1e6, G: 1e9 }[match[2] as "" | "k" | "M" | "G"];
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(describeError(error));
  process.exitCode = exitCodeOf(error);
}

/** `refused`: starting again would say the same, so a supervisor does not. */
function exitCodeOf(error: unknown): number {
  if (!(error instanceof EphemeshError) || error.retryable) return EXIT.failed;
  if (error.code === "AGENT_UNREACHABLE") return EXIT.unreachable;
  if (error.code === "REQUEST_INVALID") return EXIT.usage;
  return ["agent", "meshd"].includes(process.argv[2] ?? "") ? EXIT.refused : EXIT.failed;
}
