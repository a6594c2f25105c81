import { printableLines } from "./printable.ts";

/**
 * Errors for the person who reads them: what happened, what was left untouched, what to do next.
 * Whoever catches one decides by `code` and `retryable`, never by the text.
 */
export class EphemeshError extends Error {
  override readonly name = "EphemeshError";
  /** Stable, in SCREAMING_SNAKE_CASE, e.g. `RPC_UNREACHABLE`. */
  readonly code: string;
  /** What to do next, as a sentence. */
  readonly remedy: string;
  /** The same call may succeed later without a change. */
  readonly retryable: boolean;
  /** Nothing is wrong, only early: it need not be tried again before. */
  readonly retryAfterSeconds: number | null;

  constructor(
    code: string,
    message: string,
    remedy: string,
    options: { retryable?: boolean; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.remedy = remedy;
    this.retryable = options.retryable ?? options.retryAfterSeconds !== undefined;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }
}

/** The one line (or two) that a user sees; what others wrote in it cannot command the terminal. */
export function describeError(error: unknown): string {
  if (error instanceof EphemeshError) return printableLines(`${error.message}\n  → ${error.remedy}`);
  return printableLines(error instanceof Error ? error.message : String(error));
}
