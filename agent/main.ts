/** `ephemesh`: every command, each loading only what it needs. Reads print tables, or JSON with --json; logs go to stderr. */
import { Command, InvalidArgumentError, Option } from "commander";
import type { AuditOptions } from "./cli/audit.ts";
import { EXIT, exitCodeOf } from "./cli/exit-codes.ts";
import { describeError } from "./model/errors.ts";
import { EVENT_KINDS, type EventKind } from "./model/event.ts";
import { REQUESTED_TOPOLOGIES } from "./model/topology-mode.ts";
import { VERSION } from "./model/version.ts";

const DEFAULT_CONFIG = "/etc/ephemesh/ephemesh.yaml";

interface CommonOptions {
  readonly config: string;
  readonly json?: boolean;
}

const program = new Command("ephemesh")
  .description(
    "Temporary meshes between regional networks: auctions, encrypted links (ENIs, ephemeral network interfaces), routing, receipts, reputation.",
  )
  .version(VERSION)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT.usage))
  .configureHelp({ sortSubcommands: false });

function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option("-c, --config <file>", "configuration file", process.env.EPHEMESH_CONFIG ?? DEFAULT_CONFIG);
}

function commandWithJson(name: string, description: string): Command {
  return command(name, description).option("--json", "print JSON instead of tables");
}

function untilSignal(): AbortSignal {
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ending.abort(new Error(name)));
  return ending.signal;
}

command("up", "run this region: start and supervise agent and meshd until SIGTERM, then remove what they made").action(
  async ({ config }: CommonOptions) => {
    const { runUp } = await import("./up.ts");
    await runUp(config, untilSignal());
  },
);
command("agent", "run the agent alone, without privileges; for service managers").action(
  async ({ config }: CommonOptions) => {
    const { runAgent } = await import("./serve.ts");
    await runAgent(config, untilSignal());
  },
);
command("meshd", "run meshd alone; it needs CAP_NET_ADMIN only").action(async ({ config }: CommonOptions) => {
  const [{ loadConfig, meshdConfigOf }, { runMeshd }] = await Promise.all([
    import("./config.ts"),
    import("./meshd/main.ts"),
  ]);
  await runMeshd(meshdConfigOf(loadConfig(config)), untilSignal());
});
commandWithJson("status", "show chain, links, meshes and counters of this region")
  .addOption(
    new Option("--check <state>", `print nothing; exit with 0 if so, else with ${EXIT.notReady}`).choices([
      "live",
      "ready",
    ]),
  )
  .action(async (options: CommonOptions & { check?: "live" | "ready" }) => {
    const { checkHealth, showStatus } = await import("./cli/reads.ts");
    if (options.check) process.exitCode = (await checkHealth(options.config, options.check)) ? 0 : EXIT.notReady;
    else await showStatus(options);
  });
commandWithJson("doctor", "check machine, configuration, keys, chain and peers; say how to fix each fault").action(
  async (options: CommonOptions) => {
    const { doctor } = await import("./cli/doctor.ts");
    process.exitCode = (await doctor(options)) ? 0 : EXIT.failed;
  },
);
commandWithJson("trigger", "start an event: buy capacity and build a mesh")
  .argument("<kind>", `kind of event: ${EVENT_KINDS.join(", ")}`, (text: string) => {
    if (!(EVENT_KINDS as readonly string[]).includes(text))
      throw new InvalidArgumentError(`Use one of ${EVENT_KINDS.join(", ")}.`);
    return text as EventKind;
  })
  .option("--mbps <number>", "capacity, in Mbit/s", wholeNumber)
  .option("--for <seconds>", "duration, in seconds (default: 600)", wholeNumber)
  .option("--size <bytes>", "instead of --mbps: amount to transfer, in bytes (suffixes k, M, G)", byteCount)
  .option("--deadline <seconds>", "with --size: when the transfer must be complete, in seconds from now", wholeNumber)
  .option("--copies <number>", "with --size: number of regions that receive the same data", wholeNumber)
  .option("--renew", "buy the same capacity again before the term ends, until `ephemesh down`")
  .addOption(new Option("--topology <mode>", "links to add beside the leased ones").choices(REQUESTED_TOPOLOGIES))
  .option("--dry-run", "show regions in reach, the highest cost and what would be made; start nothing")
  .action(async (kind: EventKind, options: CommonOptions & Record<string, never>) => {
    const { trigger } = await import("./cli/writes.ts");
    await trigger(kind, options);
  });
commandWithJson("scan", "probe the regions that share a fabric with this one").action(async (options: CommonOptions) =>
  (await import("./cli/reads.ts")).showScan(options),
);
commandWithJson("auctions", "list auctions, orders and outcomes")
  .option("--all", "include auctions that ended more than a day ago")
  .action(async (options: CommonOptions) => (await import("./cli/reads.ts")).showAuctions(options));
commandWithJson("leases", "list leases, receipts and settlements")
  .option("--all", "include leases that ended more than a day ago")
  .action(async (options: CommonOptions) => (await import("./cli/reads.ts")).showLeases(options));
commandWithJson("mesh", "show links with their measurements, and routes with their reasons")
  .option("--all", "include meshes that ended more than a day ago")
  .option("--watch", "refresh every second until interrupted")
  .action(async (options: CommonOptions & { watch?: boolean }) => {
    const { showMeshes, watchMeshes } = await import("./cli/reads.ts");
    await (options.watch ? watchMeshes(options, untilSignal()) : showMeshes(options));
  })
  .command("trace")
  .description("show the path of this region's traffic to a destination, by traffic class, with the reason")
  .argument("<destination>", "name of a region, or an address within its prefixes")
  .action(async (destination: string, _: unknown, self: Command) =>
    (await import("./cli/trace.ts")).showTrace(destination, self.optsWithGlobals<CommonOptions>()),
  );
commandWithJson("receipts", "list the receipts that both sides signed, and check them").action(
  async (options: CommonOptions) => {
    const { showReceipts } = await import("./cli/receipts.ts");
    process.exitCode = (await showReceipts(options)) ? 0 : EXIT.mismatch;
  },
);
commandWithJson("reputation", "list today's scores")
  .action(async (options: CommonOptions) => (await import("./cli/reads.ts")).showReputation(options))
  .command("explain")
  .argument("<region>", "number of the region", wholeNumber)
  .description("show what each settlement adds to a score and what the next ones would add; audits the region first")
  .option("--rpc <url>", "node to read from; need not be trusted (default: from the configuration)")
  .option("--deployment <folder>", "deployment to audit (default: from the configuration)")
  .action(async (region: number, _: unknown, own: Command) => {
    const { explainReputation } = await import("./cli/explain.ts");
    process.exitCode = (await explainReputation({ ...own.optsWithGlobals<AuditOptions>(), region }))
      ? 0
      : EXIT.mismatch;
  });
commandWithJson(
  "audit",
  "derive every score again from the chain's events and prove it by the state root; trusts no node",
)
  .option("--rpc <url>", "node to read from; need not be trusted (default: from the configuration)")
  .option("--deployment <folder>", "deployment to audit (default: from the configuration)")
  .option(
    "--block <number>",
    "last block to count (default: the head; on Clique, half of the validators' number below it)",
    wholeNumber,
  )
  .option("--region <number>", "audit the score of this seller only", wholeNumber)
  .option("--validators <addresses>", "validators, separated by commas (default: from the deployment)")
  .addOption(
    new Option("--consensus <kind>", "how blocks are sealed (default: from the deployment)").choices([
      "qbft",
      "clique",
    ]),
  )
  .option("--quick", "read only the blocks that are said to hold settlements, not every block")
  .option("--bundle <file>", "write the proof to a file")
  .option("--verify <file>", "check a file that --bundle wrote, without a network")
  .option("--checkpoint <file>", "continue from this file, and save there what was verified")
  .action(async (options: AuditOptions) => {
    const { showAudit } = await import("./cli/audit.ts");
    process.exitCode = (await showAudit(options)) ? 0 : EXIT.mismatch;
  });
commandWithJson("drain", "start no event and place no orders; finish what runs")
  .option("--off", "end draining: trade again")
  .action(async (options: CommonOptions & { off?: boolean }) => (await import("./cli/writes.ts")).drain(options));
commandWithJson("down", "end an event, or all events of this region: release, dissolve, settle")
  .argument("[event]", "key of the event, or number of its mesh")
  .action(async (event: string | undefined, options: CommonOptions) =>
    (await import("./cli/writes.ts")).down(event, options),
  );
commandWithJson("cleanup", "remove what a crash left in the kernel; needs root, touches only ephemesh's objects")
  .option("--force", "even while meshd runs (traffic moves to the standing peering), or without a configuration")
  .action(async (options: CommonOptions & { force?: boolean }) => (await import("./cli/cleanup.ts")).cleanup(options));
const market = program.command("market").description("apply the auction's rule to a file");
market
  .command("clear")
  .argument("<file>", "book of orders as JSON; - for standard input")
  .option("--json", "print JSON instead of tables")
  .description("clear a book of orders: price, fills, certificate, leases; needs neither chain nor agent")
  .action(async (file: string, options: { json?: boolean }) =>
    (await import("./cli/market.ts")).clearFile(file, options),
  );
const configuration = program.command("config").description("check and explain the configuration, make keys");
configuration
  .command("check")
  .argument("<file>", "configuration file")
  .description("list every problem of a configuration file")
  .action(async (file: string) => {
    const { loadConfig } = await import("./config.ts");
    console.log(`${file}: region ${loadConfig(file).region}, no problems`);
  });
configuration
  .command("schema")
  .description("print every key with its meaning, unit and default, as JSON Schema")
  .action(async () => console.log(JSON.stringify((await import("./config.ts")).configJsonSchema(), null, 2)));
configuration
  .command("keys")
  .argument("<folder>", "where to write the keys")
  .description("make an agent key, a routing key and a token for the API (mode 0600); print what to register")
  .action(async (folder: string) => (await import("./cli/keys.ts")).makeKeys(folder));

function wholeNumber(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError("Give a whole number.");
  return Number(text);
}

function byteCount(text: string): number {
  const match = /^(\d{1,12})([kMG]?)$/.exec(text);
  if (!match) throw new InvalidArgumentError("Give a number of bytes, for example 120M.");
  return Number(match[1]) * { "": 1, k: 1e3, M: 1e6, G: 1e9 }[match[2] as "" | "k" | "M" | "G"];
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(describeError(error));
  process.exitCode = exitCodeOf(error, process.argv[2]);
}
