/** Runs a command to its end, with a time limit (30 s if none is given) and its output in the error. */
import { ExecaError, execa } from "execa";
import { EphemeshError } from "../agent/model/errors.ts";

export type Command = readonly [string, ...string[]];
export interface RunOptions {
  readonly input?: string;
  readonly timeoutMillis?: number;
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** @returns standard output without the last line feed. @throws EphemeshError TOOL_MISSING, COMMAND_FAILED */
export async function run(command: Command, options: RunOptions = {}): Promise<string> {
  const [file, ...args] = command;
  try {
    const result = await execa(file, args, {
      input: options.input ?? "",
      timeout: options.timeoutMillis ?? 30_000,
      ...(options.signal && { cancelSignal: options.signal }),
      ...(options.env && { env: options.env }),
      ...(options.cwd !== undefined && { cwd: options.cwd }),
    });
    return result.stdout;
  } catch (cause) {
    if (!(cause instanceof ExecaError)) throw cause;
    const missing = cause.code === "ENOENT";
    throw new EphemeshError(
      missing ? "TOOL_MISSING" : "COMMAND_FAILED",
      `${cause.shortMessage}${cause.stderr ? `\n${cause.stderr}` : ""}`,
      missing
        ? "Run `scripts/bootstrap lab`, which installs what the lab needs."
        : "See the command's own message above.",
      { cause },
    );
  }
}
