/**
 * Exit codes of `ephemesh`:
 *
 * | code | name        | meaning                                                                              |
 * |------|-------------|--------------------------------------------------------------------------------------|
 * | 0    |             | done, or the answer is yes                                                           |
 * | 1    | failed      | refused or failed: the message says what was left untouched and what to do           |
 * | 2    | usage       | the command line or the request is wrong                                             |
 * | 3    | unreachable | no agent answers                                                                     |
 * | 4    | notReady    | `status --check`: the agent is not live or not ready                                 |
 * | 5    | mismatch    | `audit`, `reputation explain`, `receipts`: something does not match or is not valid  |
 * | 6    | refused     | `agent`, `meshd`: cannot run with this configuration, so `up` does not start it again |
 */
import { EphemeshError } from "../model/errors.ts";

export const EXIT = { failed: 1, usage: 2, unreachable: 3, notReady: 4, mismatch: 5, refused: 6 } as const;

/** @param command the first word of the command line: the daemons `agent` and `meshd` end with `refused`. */
export function exitCodeOf(error: unknown, command: string | undefined): number {
  if (!(error instanceof EphemeshError) || error.retryable) return EXIT.failed;
  if (error.code === "AGENT_UNREACHABLE") return EXIT.unreachable;
  if (error.code === "REQUEST_INVALID") return EXIT.usage;
  return command === "agent" || command === "meshd" ? EXIT.refused : EXIT.failed;
}
