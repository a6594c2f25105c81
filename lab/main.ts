/** The lab from a terminal: up, down, exec, fault, status. */
import { Command, InvalidArgumentError } from "commander";
import { execa } from "execa";
import { describeError } from "../agent/model/errors.ts";
import { Lab } from "./lab.ts";
import { readTopology } from "./layout/topology.ts";
import { knownLabs, removeAbandonedLabs, removeLab } from "./process/run-dir.ts";

const DEFAULT_TOPOLOGY = new URL("./topologies/six-clouds.json", import.meta.url).pathname;

const program = new Command("lab")
  .description("Regions in network namespaces, with faults on request.")
  .enablePositionalOptions();

program
  .command("up")
  .argument("[id]", "name of the lab", "lab")
  .option("--topology <file>", "which regions", DEFAULT_TOPOLOGY)
  .option("--peering-mbps <rate>", "what the standing peering carries for all together", positive)
  .description("makes a lab that stays until `down`")
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
  .argument("[id]", "name of the lab; absent: what crashed runs left")
  .description("ends everything inside a lab and removes it")
  .action(async (id: string | undefined) => {
    const removed = await removeAbandonedLabs();
    for (const gone of removed) console.log(`removed ${gone}, whose owner was gone`);
    if (id === undefined || removed.includes(id)) return;
    await removeLab(id);
    console.log(`removed ${id}`);
  });

program
  .command("status")
  .option("--json", "as JSON")
  .description("lists the labs of this machine")
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
  .description("runs a command inside a lab")
  .action(async (id: string, place: string, command: [string, ...string[]]) => {
    const lab = await Lab.attach(id);
    const [file, ...args] = lab.commandAt(place, command);
    const result = await execa(file, args, { stdio: "inherit", reject: false });
    process.exitCode = result.exitCode ?? 1;
  });

const fault = program.command("fault").description("breaks and fixes cables; `--fabric` absent: all but the peering");

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
    .option("--fabric <name>", "on this fabric alone")
    .description(description);
  if (figure !== undefined) command.argument(`<${figure}>`, "", nonNegative);
  command.action(async (id: string, from: string, to: string, ...rest: unknown[]) => {
    const value = figure === undefined ? 0 : Number(rest.shift());
    const options = rest[0] as Scope;
    await apply(await Lab.attach(id), from, to, options, value);
  });
}
type Scope = { fabric?: string };

onPair("cut", "nothing passes either way, and no device says so", (lab, a, b, scope) => lab.cut(a, b, scope));
onPair("cut-one-way", "nothing passes this way", (lab, a, b, scope) => lab.cutOneWay(a, b, scope));
onPair("loss", "both ways, in parts per million", (lab, a, b, scope, ppm) => lab.lose(a, b, ppm, scope), "ppm");
onPair(
  "loss-one-way",
  "this way, in parts per million",
  (lab, a, b, scope, ppm) => lab.loseOneWay(a, b, ppm, scope),
  "ppm",
);
onPair(
  "delay",
  "round trip in milliseconds",
  (lab, a, b, scope, millis) => lab.delay(a, b, millis, scope),
  "rttMillis",
);
onPair(
  "jitter",
  "up to so many microseconds each way",
  (lab, a, b, scope, micros) => lab.jitter(a, b, micros, scope),
  "micros",
);
onPair("rate", "both ways, in Mbit/s", (lab, a, b, scope, mbps) => lab.limit(a, b, mbps, scope), "mbps");
fault
  .command("device")
  .argument("<id>")
  .argument("<region>")
  .argument("<device>", "up0, ix0 …")
  .argument("<state>", "up or down", upOrDown)
  .description("one end's device goes down or comes up again")
  .action(async (id: string, region: string, device: string, state: "up" | "down") =>
    (await Lab.attach(id)).setDevice(region, device, state),
  );
fault
  .command("kill")
  .argument("<id>")
  .argument("<region>")
  .description("a region dies: processes killed, cables dead")
  .action(async (id: string, region: string) => (await Lab.attach(id)).killRegion(region));
fault
  .command("revive")
  .argument("<id>")
  .argument("<region>")
  .description("its cables work again")
  .action(async (id: string, region: string) => (await Lab.attach(id)).reviveRegion(region));
fault
  .command("heal")
  .argument("<id>")
  .argument("[from]")
  .argument("[to]")
  .description("the topology's figures again, between two regions or everywhere")
  .action(async (id: string, from?: string, to?: string) => (await Lab.attach(id)).heal(from, to));

function upOrDown(text: string): "up" | "down" {
  if (text === "up" || text === "down") return text;
  throw new InvalidArgumentError("Say up or down.");
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
  process.exitCode = 1;
}
