/** Takes a mesh down and has both ends of each link sign its last counters. */
import { recoverTypedDataAddress } from "viem";
import { z } from "zod";
import { type ByteCounts, type LinkEnd, teardownTypedData } from "../../lease/teardown.ts";
import { EphemeshError } from "../../model/errors.ts";
import { chainSignature, type LinkId, linkId, meshId, type RegionId } from "../../model/ids.ts";
import type { Mesh, TeardownRecord } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import { chainNow, regionOf, type Site } from "../site.ts";

const side = z.strictObject({
  receivedBytes: z.number().int().nonnegative(),
  sentBytes: z.number().int().nonnegative(),
});
const request = z.strictObject({ meshId, linkId, side });
const answer = z.strictObject({ side, signature: chainSignature });

/** Removes the mesh from the kernel and journals its last counters. @throws EphemeshError those of meshd */
export async function dissolve(site: Site, mesh: Mesh): Promise<void> {
  const id = mesh.id!;
  const links = [...mesh.links.values()].map(({ linkId: link }) => {
    const counted = site.counters().get(link);
    return {
      linkId: link,
      receivedBytes: counted?.receivedBytes ?? 0,
      sentBytes: counted?.sentBytes ?? 0,
      peerSignature: null,
    };
  });
  await site.meshd.ask("removeMesh", { meshId: id });
  const left = await site.meshd.ask("snapshot", {});
  const record: TeardownRecord = {
    atSeconds: chainNow(site),
    links,
    leftBehind: left.meshes.filter((m) => m === id).length + (left.meshes.length === 0 ? left.devices.length : 0),
  };
  site.dispatch({ type: "MeshDissolved", meshId: id, record });
}

/** @throws EphemeshError TEARDOWN_SIGNATURE */
export async function cosignTeardown(
  site: Site,
  mesh: Mesh,
  { linkId: link, peer }: Extract<Action, { kind: "cosign-teardown" }>,
): Promise<void> {
  const own = countersOf(mesh, link);
  const region = regionOf(site, peer);
  const { side: theirs, signature } = answer.parse(
    await site.control.ask(region, "teardown", { meshId: mesh.id, linkId: link, side: own }),
  );
  const signer = await recoverTypedDataAddress({
    ...typedData(site, link, { region: site.self, ...own }, { region: peer, ...theirs }),
    signature: signature,
  }).catch(() => null);
  if (signer?.toLowerCase() !== region.agentKey.toLowerCase())
    throw new EphemeshError(
      "TEARDOWN_SIGNATURE",
      `The teardown record is not signed by region ${peer}. It was not kept.`,
      "The agent asks again; if it repeats, ask the region's operator to run its agent with the registered key.",
    );
  site.dispatch({ type: "TeardownCosigned", meshId: mesh.id!, linkId: link, peerSignature: signature });
}

/** Signs the teardown record of a link once the interface at this end is gone. @throws EphemeshError TEARDOWN_NOT_YET */
export async function answerTeardown(site: Site, from: RegionId, body: unknown): Promise<z.infer<typeof answer>> {
  const asked = request.parse(body);
  const mesh = [...site.world().meshes.values()].find((m) => m.id === asked.meshId);
  if (!mesh?.dissolved || mesh.links.get(asked.linkId)?.peer !== from)
    throw new EphemeshError("TEARDOWN_NOT_YET", "The link is still in place here.", "Ask again in a moment.", {
      retryable: true,
    });
  const own = countersOf(mesh, asked.linkId);
  const data = typedData(site, asked.linkId, { region: from, ...asked.side }, { region: site.self, ...own });
  return { side: own, signature: await site.key.signTypedData(data) };
}

function typedData({ deployment }: Site, link: LinkId, asker: LinkEnd, answerer: LinkEnd) {
  return teardownTypedData(deployment.chainId, deployment.auction, link, asker, answerer);
}

function countersOf(mesh: Mesh, link: LinkId): ByteCounts {
  const found = mesh.dissolved?.links.find((l) => l.linkId === link);
  return { receivedBytes: found?.receivedBytes ?? 0, sentBytes: found?.sentBytes ?? 0 };
}
