/**
 * The steps of the demo. The first step that fails is the reason why the demo failed: its error names the step and quotes
 * the regions' logs, which are deleted with the lab. What fails while the lab is taken down is not reported instead.
 */
import { EphemeshError } from "../../agent/model/errors.ts";

export type Step = <T>(name: string, body: () => Promise<T>) => Promise<T>;

/** @param logs is called once, when a step fails: lines of the logs that may explain it. */
export function stepRunner(logs: () => Promise<readonly string[]>): Step {
  return async (name, body) => {
    try {
      return await body();
    } catch (cause) {
      if (cause instanceof EphemeshError && cause.code === "INTERRUPTED") throw cause;
      const lines = await logs().catch(() => []);
      throw new EphemeshError(
        "DEMO_STEP_FAILED",
        [`The demo failed at the step "${name}": ${reasonOf(cause)}`, ...lines.map((line) => `  ${line}`)].join("\n"),
        cause instanceof EphemeshError
          ? cause.remedy
          : "Run the demo again; if it fails at the same step, report this output.",
        { cause },
      );
    }
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && !(error instanceof EphemeshError)
    ? `${error.message}: ${error.cause.message}`
    : error.message;
}

const WARN_LEVEL = 40;

/** The last warnings and errors of a log of pino's JSON lines; without any, its last lines. Pure. */
export function logExcerpt(log: string, count: number): readonly string[] {
  const entries = log.split("\n").filter(Boolean).map(readEntry);
  const severe = entries.filter(({ level }) => level >= WARN_LEVEL);
  return (severe.length > 0 ? severe : entries).slice(-count).map(({ text }) => text);
}

function readEntry(line: string): { readonly level: number; readonly text: string } {
  try {
    const { level, part, msg, err } = JSON.parse(line) as Partial<{
      level: number;
      part: string;
      msg: string;
      err: { message?: string };
    }>;
    const text = [part, [msg, err?.message].filter(Boolean).join(": ")].filter(Boolean).join(": ");
    return { level: level ?? 0, text: text || line };
  } catch {
    // A process that crashes prints plain text.
    return { level: WARN_LEVEL, text: line };
  }
}
