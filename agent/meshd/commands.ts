/** The one way in which meshd runs a command to its end: argument arrays, a time limit, the output in the error. */
import { open } from "node:fs/promises";
import { ExecaError, execa } from "execa";
import { EphemeshError } from "../model/errors.ts";

export interface CommandOptions {
  readonly input?: string;
  readonly timeoutMillis?: number;
  readonly signal?: AbortSignal;
}

/** What the command printed. */
export async function command(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  try {
    const result = await execa(file, args, {
      input: options.input ?? "",
      timeout: options.timeoutMillis ?? 10_000,
      forceKillAfterDelay: 1_000,
      ...(options.signal && { cancelSignal: options.signal }),
    });
    return result.stdout;
  } catch (cause) {
    if (!(cause instanceof ExecaError)) throw cause;
    if (cause.code === "ENOENT") {
      throw new EphemeshError(
        "TOOL_MISSING",
        `The command ${file} is not installed.`,
        "Install iproute2, nftables, wireguard-tools and, where the kernel has no WireGuard, wireguard-go.",
        { cause },
      );
    }
    throw new EphemeshError(
      cause.timedOut ? "COMMAND_TIMEOUT" : "COMMAND_FAILED",
      `${cause.shortMessage}${cause.stderr ? `\n${cause.stderr}` : ""}`,
      "See the command's own message above; `ephemesh doctor` checks what meshd needs.",
      { cause, retryable: true },
    );
  }
}

/** O_TMPFILE | O_RDWR: it has no name at any time, and is gone when it is closed. */
const NAMELESS = 0o20200002;

/**
 * For what must not stand in an argument list, when a command wants a file. (`wg` cannot open /dev/stdin if that is a
 * socket, as a child's input is.) The file lies in memory, and only our own children reach it.
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

/** The command's JSON, or an empty list where it prints nothing (as `ip -j` does). */
export async function commandJson(file: string, args: readonly string[]): Promise<unknown> {
  const output = await command(file, args);
  try {
    return output.trim() === "" ? [] : JSON.parse(output);
  } catch (cause) {
    throw new EphemeshError(
      "COMMAND_GARBAGE",
      `${file} ${args.join(" ")} printed what is not JSON: ${output.slice(0, 200)}`,
      "Check the version of the tool; `ephemesh doctor` does.",
      { cause, retryable: true },
    );
  }
}
