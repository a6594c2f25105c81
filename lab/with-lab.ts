/** Runs something in a lab that is removed afterwards. */
import { describeError, EphemeshError } from "../agent/model/errors.ts";
import { Lab, type LabOptions } from "./lab.ts";

/**
 * Makes a lab, runs the body, and removes the lab whether the body succeeds, fails or is interrupted. Ctrl-C aborts the
 * body's signal.
 */
export async function withLab<T>(options: LabOptions, body: (lab: Lab, signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupted = new AbortController();
  const interrupt = (signal: NodeJS.Signals) =>
    interrupted.abort(
      new EphemeshError("INTERRUPTED", `Interrupted by ${signal}. The lab was removed.`, "Run the command again."),
    );
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, interrupt);
  try {
    const lab = await Lab.up(options);
    let result: T;
    try {
      interrupted.signal.throwIfAborted();
      const aborted = new Promise<never>((_, reject) =>
        interrupted.signal.addEventListener("abort", () => reject(interrupted.signal.reason)),
      );
      result = await Promise.race([body(lab, interrupted.signal), aborted]);
    } catch (error) {
      // An error while the lab is removed must not hide this one.
      await lab.down().catch((second: unknown) => console.error(describeError(second)));
      throw error;
    }
    await lab.down();
    return result;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}
