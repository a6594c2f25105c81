/** The options of a script, and its `--help`. A mistake in them is reported before anything is done, with exit code 2. */
import { accessSync, constants } from "node:fs";
import { dirname, resolve } from "node:path";
import { type ParseArgsOptionDescriptor, parseArgs } from "node:util";
import { EXIT } from "../agent/cli/exit-codes.ts";

export interface Script {
  /** As it is called, for example `scripts/bench gas`. */
  readonly name: string;
  readonly summary: string;
  /** How long it runs with its defaults. */
  readonly duration: string;
  /** What it needs besides the packages of package-lock.json. */
  readonly needs: string;
}

/** An option's value on the command line; `wholeNumber` values are checked, and stay strings. */
export type ScriptOption = ParseArgsOptionDescriptor & {
  readonly description: string;
  readonly placeholder?: string;
  readonly wholeNumber?: true;
};

/** The option `--json FILE`; the folder of the file must be writable. */
export const JSON_FILE = { type: "string", placeholder: "FILE", description: "write the figures to FILE" } as const;

/** @returns the values; prints the help and exits with 0 on `--help`, exits with 2 on a mistake. */
export function optionsOf<const T extends Readonly<Record<string, ScriptOption>>>(script: Script, known: T) {
  if (process.argv.includes("--help")) {
    console.log(helpOf(script, known));
    return process.exit(0);
  }
  try {
    const { values } = parseArgs({ options: known });
    check(values as Readonly<Record<string, unknown>>, known);
    return values;
  } catch (error) {
    const options = Object.keys(known).map((name) => `--${name}`);
    console.error(`${script.name}: ${(error as Error).message.split(". ")[0]}. Nothing was done.`);
    console.error(`Options: ${options.join(", ")}. \`${script.name} --help\` describes them.`);
    return process.exit(EXIT.usage);
  }
}

function helpOf(script: Script, known: Readonly<Record<string, ScriptOption>>): string {
  const rows = Object.entries(known).map(([name, option]) => {
    const value = option.type === "boolean" ? "" : ` ${option.placeholder ?? (option.wholeNumber ? "N" : "TEXT")}`;
    const preset = typeof option.default === "string" ? ` (default: ${option.default})` : "";
    return [`--${name}${value}`, `${option.description}${preset}`] as const;
  });
  const width = Math.max(...rows.map(([option]) => option.length));
  return [
    `Usage: ${script.name} [options]`,
    "",
    script.summary,
    "",
    "Options:",
    ...rows.map(([option, description]) => `  ${option.padEnd(width)}  ${description}`),
    "",
    `Duration: ${script.duration}`,
    `Needs: ${script.needs}`,
  ].join("\n");
}

function check(values: Readonly<Record<string, unknown>>, known: Readonly<Record<string, ScriptOption>>): void {
  for (const [name, { wholeNumber }] of Object.entries(known))
    if (wholeNumber && !/^\d{1,9}$/.test(String(values[name])))
      throw new RangeError(`--${name} ${values[name]} is not a whole number`);
  if (typeof values.json !== "string") return;
  const folder = dirname(resolve(values.json));
  try {
    // Checked before a measurement that may take an hour.
    accessSync(folder, constants.W_OK);
  } catch {
    throw new RangeError(`--json ${values.json} cannot be written: ${folder} is not a writable folder`);
  }
}
