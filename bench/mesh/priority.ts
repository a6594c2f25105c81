import { MESHD_NICE } from "../../agent/up.ts";
import type { Command } from "../../lab/run.ts";

/** As `ephemesh up` runs meshd and its tunnels; the peers' daemons and tunnels get the same, so that load is fair. */
export function withPriority(command: Command): Command {
  return ["nice", "-n", String(MESHD_NICE), ...command];
}
