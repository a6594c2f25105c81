import type { Mesh } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import type { Site } from "../site.ts";

/** The lease runs on and is settled as it was delivered; the event no longer counts on it. */
export async function declareLost(
  site: Site,
  mesh: Mesh,
  { leaseId, reason }: Extract<Action, { kind: "declare-lost" }>,
): Promise<void> {
  site.log.warn({ mesh: mesh.id, leaseId, reason }, "a peer is lost; its capacity is bought elsewhere");
  site.dispatch({ type: "PeerLost", meshId: mesh.id!, leaseId, reason });
}
