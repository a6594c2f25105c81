/**
 * A long-lived `ip -batch -` or `tc -batch -`: a change costs a write, not a process. A line with an unknown object marks
 * the end of a batch: the command names it in its error output, after the errors of earlier lines.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { EphemeshError } from "../../model/errors.ts";
import { missingKernelFeature, missingTool } from "./missing.ts";

const TIMEOUT_MILLIS = 5_000;
const OPTIONS = ["-force", "-batch", "-"];
/** More error lines than this without the end marker are garbage. */
const MAX_ERRORS = 1_000;
const MAX_LINE = 65_536;
const UNREADABLE = /[^\x20-\x7e\t]/;

export class Batch {
  readonly #file: "ip" | "tc";
  readonly #devices = new Set<string>();
  #session: Session | null = null;
  #closed = false;

  constructor(file: "ip" | "tc") {
    this.#file = file;
  }

  /**
   * Resolves when all lines are applied. Lines after a refused one are applied too.
   * @throws EphemeshError KERNEL_REFUSED with the command's output, BATCH_ENDED, TOOL_MISSING, KERNEL_FEATURE_MISSING
   */
  run(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return Promise.resolve();
    if (this.#closed) return Promise.reject(ended(this.#file, "it was closed"));
    if (!this.#session?.alive) this.#session = new Session(this.#file);
    return this.#session.run(lines);
  }

  /** Must be called for a new interface: the commands cache the index of each name. */
  addDevice(device: string): void {
    if (this.#devices.has(device)) {
      this.#session?.end();
      this.#session = null;
      this.#devices.clear();
    }
    this.#devices.add(device);
  }

  close(): void {
    this.#closed = true;
    this.#session?.end();
  }
}

interface Waiting {
  readonly marker: string;
  readonly lines: readonly string[];
  readonly resolve: () => void;
  readonly reject: (error: EphemeshError) => void;
}

class Session {
  readonly #file: "ip" | "tc";
  readonly #child: ChildProcessByStdio<Writable, null, Readable>;
  #waiting: Waiting[] = [];
  #errors: string[] = [];
  #partial = "";
  #serial = 0;
  alive = true;

  constructor(file: "ip" | "tc") {
    this.#file = file;
    const child = spawn(file, OPTIONS, { stdio: ["pipe", "ignore", "pipe"] });
    this.#child = child;
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => this.#read(text));
    child.stdin.on("error", () => {});
    child.on("error", (error: NodeJS.ErrnoException) =>
      this.#gone(error.code === "ENOENT" ? missingTool(file, error) : ended(file, error.message)),
    );
    child.on("close", (code, signal) => {
      const said = [...this.#errors, this.#partial].join(" ").trim().slice(0, 200);
      this.#gone(
        ended(file, `it ended with ${signal ?? code}${said === "" ? "" : `, saying ${JSON.stringify(said)}`}`),
      );
    });
  }

  run(lines: readonly string[]): Promise<void> {
    const marker = `end${this.#serial++}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#kill(`no answer within ${TIMEOUT_MILLIS} ms to: ${lines.slice(0, 3).join("; ")}`);
      }, TIMEOUT_MILLIS);
      const settle = (done: () => void): void => {
        clearTimeout(timer);
        done();
      };
      this.#waiting.push({
        marker,
        lines,
        resolve: () => settle(resolve),
        reject: (error) => settle(() => reject(error)),
      });
      this.#child.stdin.write(`${lines.join("\n")}\n${marker}\n`);
    });
  }

  /** Lines that were written before are still applied. */
  end(): void {
    this.#child.stdin.end();
  }

  #kill(reason: string): void {
    this.#child.kill("SIGKILL");
    this.#gone(ended(this.#file, reason));
  }

  #gone(error: EphemeshError): void {
    this.alive = false;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }

  #read(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() ?? "";
    for (const line of lines) {
      const waiting = this.#waiting[0];
      if (waiting && line.startsWith(`Object "${waiting.marker}"`)) {
        this.#waiting.shift();
        const errors = this.#errors;
        this.#errors = [];
        if (errors.length === 0) waiting.resolve();
        else waiting.reject(refused(this.#file, errors, waiting.lines));
      } else if (!/^Command failed -:\d+$/.test(line)) {
        this.#errors.push(line);
      }
    }
    if (this.#errors.length > MAX_ERRORS || this.#partial.length > MAX_LINE) this.#kill("its output does not end");
  }
}

function refused(file: "ip" | "tc", errors: readonly string[], lines: readonly string[]): EphemeshError {
  const said = errors.some((line) => UNREADABLE.test(line))
    ? "unreadable output"
    : errors.slice(0, 5).join("; ").slice(0, 500);
  const lacks = missingKernelFeature(file, said);
  if (lacks) return lacks;
  return new EphemeshError(
    "KERNEL_REFUSED",
    `The kernel refused part of a change; ${file} printed: ${said} (in: ${lines.slice(0, 5).join("; ")}${lines.length > 5 ? " …" : ""})`,
    "meshd reads the kernel's state and tries again; if it fails again, run `ephemesh doctor`.",
    { retryable: true },
  );
}

function ended(file: "ip" | "tc", reason: string): EphemeshError {
  return new EphemeshError(
    "BATCH_ENDED",
    `The long-lived \`${file} ${OPTIONS.join(" ")}\` ended: ${reason}.`,
    `meshd starts it again; if it ends again, run ${file} by hand.`,
    { retryable: true },
  );
}
