/** The lab's command line: up, down, exec, fault, status. */
import { Command, InvalidArgumentError } from "commander";
import { execa } from "execa";
import { EXIT } from "../agent/cli/exit-codes.ts";
import { describeError } from "../agent/model/errors.ts";
import { Lab } from "./lab.ts";
import { readTopology } from "./layout/topology.ts";
import { knownLabs, removeAbandonedLabs, removeLab } from "./process/run-dir.ts";

const DEFAULT_TOPOLOGY = new URL("./topologies/six-clouds.json", import.meta.url).pathname;

const program = new Command("lab")
  .description("Makes regions in network namespaces and causes faults between them.")
  .enablePositionalOptions();

program
  .command("up")
  .argument("[id]", "name of the lab", "lab")
  .option("--topology <file>", "topology file", DEFAULT_TOPOLOGY)
  .option("--peering-mbps <rate>", "rate of the standing peering, for all regions together", positive)
  .description("make a lab that stays until `down`")
  .action(async (id: string, options: { topology: string; peeringMbps?: number }) => {
    const topology = await readTopology(options.topology);
    const sharedMbps = options.peeringMbps ?? topology.peering.sharedMbps;
    const lab = await Lab.up({
      id,
      keep: true,
      topology: { ...topology, peering: { ...topology.peering, sharedMbps } },
    });
    for (const place of lab.places()) console.log(`${place}\t${lab.namespace(place)}`);
  });

program
  .command("down")
  .argument("[id]", "name of the lab; absent: only remove labs of crashed runs")
  .description("end all processes in a lab and remove it")
  .action(async (id: string | undefined) => {
    const removed = await removeAbandonedLabs();
    for (const gone of removed) console.log(`removed ${gone}, the lab of a crashed run`);
    if (id === undefined || removed.includes(id)) return;
    await removeLab(id);
    console.log(`removed ${id}`);
  });

program
  .command("status")
  .option("--json", "as JSON")
  .description("list the labs of this machine")
  .action(async (options: { json?: true }) => {
    const labs = await knownLabs();
    if (options.json) console.log(JSON.stringify(labs));
    else for (const lab of labs) console.log(`${lab.id}\t${lab.state}`);
  });

program
  .command("exec")
  .argument("<id>")
  .argument("<place>", "a region (its router), a region followed by /host, or core")
  .argument("<command...>")
  .passThroughOptions()
  .description("run a command inside a lab")
  .action(async (id: string, place: string, command: [string, ...string[]]) => {
    const lab = await Lab.attach(id);
    const [file, ...args] = lab.commandAt(place, command);
    const result = await execa(file, args, { stdio: "inherit", reject: false });
    process.exitCode = result.exitCode ?? 1;
  });

const fault = program
  .command("fault")
  .description("cause faults and repair them; without `--fabric` on all fabrics, but not on the peering");

function onPair(
  name: string,
  description: string,
  apply: (lab: Lab, a: string, b: string, scope: Scope, figure: number) => Promise<void>,
  figure?: string,
) {
  const command = fault
    .command(name)
    .argument("<id>")
    .argument("<from>")
    .argument("<to>")
    .option("--fabric <name>", "only on this fabric, or on the peering")
    .description(description);
  if (figure !== undefined) command.argument(`<${figure}>`, "", nonNegative);
  command.action(async (id: string, from: string, to: string, ...rest: unknown[]) => {
    const value = figure === undefined ? 0 : Number(rest.shift());
    const options = rest[0] as Scope;
    await apply(await Lab.attach(id), from, to, options, value);
  });
}
type Scope = { fabric?: string };

onPair("cut", "drop all frames in both directions; no device reports it", (lab, a, b, scope) => lab.cut(a, b, scope));
onPair("cut-one-way", "drop all frames in one direction", (lab, a, b, scope) => lab.cutOneWay(a, b, scope));
onPair(
  "loss",
  "random loss in both directions, in parts per million",
  (lab, a, b, scope, ppm) => lab.lose(a, b, ppm, scope),
  "ppm",
);
onPair(
  "loss-one-way",
  "random loss in one direction, in parts per million",
  (lab, a, b, scope, ppm) => lab.loseOneWay(a, b, ppm, scope),
  "ppm",
);
onPair(
  "delay",
  "set the round-trip time, in milliseconds",
  (lab, a, b, scope, millis) => lab.delay(a, b, millis, scope),
  "rttMillis",
);
onPair(
  "jitter",
  "set the jitter of each direction, in microseconds",
  (lab, a, b, scope, micros) => lab.jitter(a, b, micros, scope),
  "micros",
);
onPair(
  "rate",
  "limit the rate of each direction, in Mbit/s",
  (lab, a, b, scope, mbps) => lab.limit(a, b, mbps, scope),
  "mbps",
);
fault
  .command("device")
  .argument("<id>")
  .argument("<region>")
  .argument("<device>", "up0, ix0 …")
  .argument("<state>", "up or down", upOrDown)
  .description("set one end's device down or up")
  .action(async (id: string, region: string, device: string, state: "up" | "down") =>
    (await Lab.attach(id)).setDevice(region, device, state),
  );
fault
  .command("kill")
  .argument("<id>")
  .argument("<region>")
  .description("kill a region's processes and cut its cables")
  .action(async (id: string, region: string) => (await Lab.attach(id)).killRegion(region));
fault
  .command("revive")
  .argument("<id>")
  .argument("<region>")
  .description("restore a region's cables")
  .action(async (id: string, region: string) => (await Lab.attach(id)).reviveRegion(region));
fault
  .command("heal")
  .argument("<id>")
  .argument("[from]")
  .argument("[to]")
  .description("restore the topology's figures between two regions, or everywhere")
  .action(async (id: string, from?: string, to?: string) => (await Lab.attach(id)).heal(from, to));

function upOrDown(text: string): "up" | "down" {
  if (text === "up" || text === "down") return text;
  throw new InvalidArgumentError("Give up or down.");
}

function nonNegative(text: string): number {
  const value = Number(text);
  if (text !== "" && value >= 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Give a number that is not negative.");
}

function positive(text: string): number {
  const value = nonNegative(text);
  if (value > 0) return value;
  throw new InvalidArgumentError("Give a number above 0.");
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(describeError(error));
  process.exitCode = EXIT.failed;
}
