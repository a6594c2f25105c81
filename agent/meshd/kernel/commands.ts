/** Runs a command: argument arrays, a time limit, its output in the error. */
import { open } from "node:fs/promises";
import { ExecaError, execa } from "execa";
import type { z } from "zod";
import { EphemeshError } from "../../model/errors.ts";
import { missingKernelFeature, missingTool } from "./missing.ts";

export interface CommandOptions {
  readonly input?: string;
  readonly timeoutMillis?: number;
  readonly signal?: AbortSignal;
}

/**
 * Returns what the command printed.
 * @throws EphemeshError TOOL_MISSING, KERNEL_FEATURE_MISSING, COMMAND_TIMEOUT, COMMAND_FAILED
 */
export async function command(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  try {
    const result = await execa(file, args, {
      input: options.input ?? "",
      timeout: options.timeoutMillis ?? 5_000,
      forceKillAfterDelay: 1_000,
      ...(options.signal && { cancelSignal: options.signal }),
    });
    return result.stdout;
  } catch (cause) {
    if (!(cause instanceof ExecaError)) throw cause;
    if (cause.code === "ENOENT") throw missingTool(file, cause);
    const said = `${cause.shortMessage}${cause.stderr ? `\n${cause.stderr}` : ""}`;
    const lacks = missingKernelFeature(file, said, cause);
    if (lacks) throw lacks;
    throw new EphemeshError(
      cause.timedOut ? "COMMAND_TIMEOUT" : "COMMAND_FAILED",
      said,
      cause.timedOut
        ? `Run it by hand: if it hangs too, the kernel or the installation of ${file} is faulty. meshd killed it and tries again.`
        : "See the command's own message above; `ephemesh doctor` checks what meshd needs.",
      { cause, retryable: true },
    );
  }
}

/** O_TMPFILE | O_RDWR: the file has no name, and is deleted when it is closed. */
const NAMELESS = 0o20200002;

/**
 * For secrets that must not be in an argument list, when a command needs a file. (`wg` cannot open /dev/stdin if it is a
 * socket, as a child's input is.) The file is in memory, and only child processes can open it.
 */
export async function withSecretFile<T>(content: string, use: (path: string) => Promise<T>): Promise<T> {
  const file = await open("/dev/shm", NAMELESS, 0o600);
  try {
    await file.writeFile(content);
    return await use(`/proc/${process.pid}/fd/${file.fd}`);
  } finally {
    await file.close();
  }
}

/**
 * Returns the command's JSON, if it has the expected form. Any other output is an error, also an empty one: it does not
 * mean that there are no objects.
 * @throws EphemeshError COMMAND_GARBAGE, and what `command` throws
 */
export async function commandJson<T>(file: string, args: readonly string[], schema: z.ZodType<T>): Promise<T> {
  const output = await command(file, args);
  try {
    return schema.parse(JSON.parse(output));
  } catch (cause) {
    throw garbage(file, args, cause);
  }
}

/** Without the output itself, so that an error with varying output is logged only once. */
export function garbage(file: string, args: readonly string[], cause?: unknown): EphemeshError {
  return new EphemeshError(
    "COMMAND_GARBAGE",
    `${file} ${args.join(" ")} printed unreadable output. Nothing was changed because of it.`,
    `Run it by hand and check which ${file} is first in PATH, and its version; meshd tries again.`,
    { cause, retryable: true },
  );
}
