/** The options of a script. A mistake in them is said in one line before anything is done, and ends it with 2. */
import { accessSync, constants } from "node:fs";
import { dirname, resolve } from "node:path";
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** @param whole names of options that are whole numbers; `json` is a file that can be written. */
export function optionsOf<const T extends ParseArgsOptionsConfig>(
  script: string,
  known: T,
  whole: readonly string[] = [],
) {
  try {
    const { values } = parseArgs({ options: known });
    check(values as Readonly<Record<string, unknown>>, whole);
    return values;
  } catch (error) {
    console.error(`${script}: ${(error as Error).message.split(". ")[0]}. Nothing was done.`);
    console.error(
      `Options: ${Object.keys(known)
        .map((name) => `--${name}`)
        .join(", ")}.`,
    );
    return process.exit(2);
  }
}

function check(values: Readonly<Record<string, unknown>>, whole: readonly string[]): void {
  for (const name of whole) {
    const value = String(values[name]);
    if (!/^\d{1,9}$/.test(value)) throw new RangeError(`--${name} ${value} is no whole number`);
  }
  if (typeof values.json !== "string") return;
  const folder = dirname(resolve(values.json));
  try {
    // After an hour of measuring is no time to learn that.
    accessSync(folder, constants.W_OK);
  } catch {
    throw new RangeError(`--json ${values.json} cannot be written, because of ${folder}`);
  }
}
