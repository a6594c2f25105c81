import type { Lab } from "../../lab/lab.ts";
import { CORE_MANAGEMENT_ADDRESS, MANAGEMENT_DEVICE, PEERING_DEVICE } from "../../lab/layout/addressing.ts";

/**
 * What reaches the other side went over a tunnel: the standing peering is down, and what it carried follows a default
 * route to nowhere. Without any route back to its source, the loosest reverse-path filter drops what a tunnel delivers.
 */
export async function withoutPeering(lab: Lab): Promise<void> {
  const route = ["ip", "route", "add", "default", "via", CORE_MANAGEMENT_ADDRESS, "dev", MANAGEMENT_DEVICE] as const;
  await Promise.all(
    lab.topology.regions.map(async ({ name }) => {
      await lab.setDevice(name, PEERING_DEVICE, "down");
      await lab.exec(name, route);
    }),
  );
}
