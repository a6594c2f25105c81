import type { Mesh } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import type { Site } from "../site.ts";

/** A lost seller's lease runs on and is settled by what was delivered; the event no longer counts on it. */
export async function declareLost(
  site: Site,
  mesh: Mesh,
  { leaseId, reason }: Extract<Action, { kind: "declare-lost" }>,
): Promise<void> {
  site.log.warn({ mesh: mesh.id, leaseId, reason }, "a peer is lost; its capacity is bought elsewhere");
  site.dispatch({ type: "PeerLost", meshId: mesh.id!, leaseId, reason });
}

/** The event counts on the lease again. */
export async function declareReturned(
  site: Site,
  mesh: Mesh,
  { leaseId }: Extract<Action, { kind: "declare-returned" }>,
): Promise<void> {
  site.log.info({ mesh: mesh.id, leaseId }, "a lost peer serves again");
  site.dispatch({ type: "PeerReturned", meshId: mesh.id!, leaseId });
}

/** The link leaves the wanted mesh, so that meshd removes its interface; the end that offers handshakes goes on offering. */
export async function withdrawLink(
  site: Site,
  mesh: Mesh,
  { linkId }: Extract<Action, { kind: "withdraw-link" }>,
): Promise<void> {
  site.log.warn(
    { mesh: mesh.id, linkId },
    "the other end of a link is away; its interface is removed until it is back",
  );
  site.dispatch({ type: "LinkWithdrawn", meshId: mesh.id!, linkId });
}
