import { printableLines } from "./printable.ts";

/**
 * An error for the person who reads it: what happened, what was left untouched, what to do next. Code that catches one
 * decides by `code` and `retryable`, never by the text.
 */
export class EphemeshError extends Error {
  override readonly name = "EphemeshError";
  /** Stable, in SCREAMING_SNAKE_CASE, e.g. `RPC_UNREACHABLE`. */
  readonly code: string;
  /** What to do next, as a sentence. */
  readonly remedy: string;
  /** Whether the same call can succeed later without a change. */
  readonly retryable: boolean;
  /** If the call was only too early: seconds after which to try again. */
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

/** The message and the remedy, for a terminal. */
export function describeError(error: unknown): string {
  if (error instanceof EphemeshError) return printableLines(`${error.message}\n  → ${error.remedy}`);
  return printableLines(error instanceof Error ? error.message : String(error));
}
