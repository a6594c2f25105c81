import type { Command } from "../../../lab/run.ts";

/** As `ephemesh up` runs meshd and its tunnels; the peers' daemons and tunnels get the same, so that load is fair. */
export const MESHD_NICE = -10;

export function hurried(command: Command): Command {
  return ["nice", "-n", String(MESHD_NICE), ...command];
}
