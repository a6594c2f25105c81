/** A long-running process inside the lab, as its starter sees it. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { EphemeshError } from "../../agent/model/errors.ts";
import type { Command } from "../run.ts";

export interface SpawnOptions {
  /** Standard output and error are appended here; absent: they are read with `line`, `onLine` and `exited`. */
  readonly logFile?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface ExitStatus {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Empty where a log file took it. */
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
      // A Ctrl-C at the terminal reaches the owner alone, which then ends things in their order.
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

  /** Calls for every further line of standard output. */
  onLine(listener: (line: string) => void): void {
    this.#output().on("line", listener);
  }

  /** Resolves with the first line of standard output that matches; rejects when the process ends before. */
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
            "See what it printed above, or its log.",
          ),
        ),
      );
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks it to end, and makes it after the grace. */
  async stop(graceMillis = 2000): Promise<ExitStatus> {
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), graceMillis);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets the starter end while this goes on. */
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
