/** A long-running process inside the lab. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { EphemeshError } from "../../agent/model/errors.ts";
import type { Command } from "../run.ts";

export interface SpawnOptions {
  /** Standard output and error are appended to this file; absent: `line`, `onLine` and `exited` give them. */
  readonly logFile?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface ExitStatus {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Empty if it went to a log file. */
  readonly stderr: string;
}

export class LabProcess {
  readonly pid: number;
  readonly exited: Promise<ExitStatus>;
  readonly #process: ChildProcess;
  readonly #lines: Interface | undefined;
  readonly #describe: string;

  constructor(command: Command, options: SpawnOptions) {
    const [file, ...args] = command;
    const log = options.logFile === undefined ? undefined : openSync(options.logFile, "a");
    const child = spawn(file, args, {
      stdio: ["ignore", log ?? "pipe", log ?? "pipe"],
      // Ctrl-C at the terminal must reach only the owner, which ends processes in order.
      detached: true,
      ...(options.env && { env: { ...process.env, ...options.env } }),
      ...(options.cwd !== undefined && { cwd: options.cwd }),
    });
    if (log !== undefined) closeSync(log);
    child.on("error", () => undefined);
    if (child.pid === undefined) {
      throw new EphemeshError(
        "TOOL_MISSING",
        `Cannot start ${file}.`,
        "Run `scripts/bootstrap lab`, which installs what the lab needs.",
      );
    }
    let stderr = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    this.pid = child.pid;
    this.#process = child;
    this.#describe = command.join(" ");
    this.#lines = child.stdout ? createInterface({ input: child.stdout }) : undefined;
    this.exited = new Promise((resolve) =>
      child.once("close", (exitCode, signal) =>
        resolve({ exitCode: exitCode ?? undefined, signal: signal ?? undefined, stderr }),
      ),
    );
  }

  /** Calls the listener for every further line of standard output. @throws EphemeshError LAB_OUTPUT_IN_FILE */
  onLine(listener: (line: string) => void): void {
    this.#output().on("line", listener);
  }

  /** The first further line of standard output that matches. @throws EphemeshError LAB_PROCESS_ENDED, LAB_OUTPUT_IN_FILE */
  async line(pattern: RegExp): Promise<string> {
    const lines = this.#output();
    return new Promise((resolve, reject) => {
      const look = (line: string) => {
        if (!pattern.test(line)) return;
        lines.off("line", look);
        resolve(line);
      };
      lines.on("line", look);
      void this.exited.then((status) =>
        reject(
          new EphemeshError(
            "LAB_PROCESS_ENDED",
            `\`${this.#describe}\` ended (${status.signal ?? status.exitCode}) before it printed ${pattern}.\n${status.stderr}`,
            "See its output above, or its log.",
          ),
        ),
      );
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Sends SIGTERM, and SIGKILL after the grace. */
  async stop(graceMillis = 2000): Promise<ExitStatus> {
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), graceMillis);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets this process end while the other goes on. */
  unref(): void {
    this.#process.unref();
  }

  #output(): Interface {
    if (this.#lines) return this.#lines;
    throw new EphemeshError(
      "LAB_OUTPUT_IN_FILE",
      "The output of this process goes to a log file.",
      "Start it without `logFile`.",
    );
  }
}
