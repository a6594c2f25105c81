import type { Lab } from "../../lab/lab.ts";
import { CORE_MANAGEMENT_ADDRESS, MANAGEMENT_DEVICE, PEERING_DEVICE } from "../../lab/layout/addressing.ts";

/**
 * Takes the standing peering down, so that what arrives came over a tunnel. A default route that reaches no region is
 * added: without a route back to the source, even a loose reverse-path filter drops what a tunnel delivers.
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
