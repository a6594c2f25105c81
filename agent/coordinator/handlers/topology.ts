import { type Hex, recoverMessageAddress } from "viem";
import { z } from "zod";
import { EphemeshError } from "../../model/errors.ts";
import { hex32, meshId, type RegionId, regionId } from "../../model/ids.ts";
import { REQUESTED_TOPOLOGIES } from "../../model/topology-mode.ts";
import { type MeasuredPair, pairsThatCount, planTopology, type TopologyRequest } from "../../topology/topology.ts";
import { leasesOf, type Mesh } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import { bounded, flattened, pairsOnWire } from "../pairs.ts";
import {
  digestOfLeases,
  grantedAuctions,
  isSound,
  openerHasUntilSeconds,
  type Publication,
  participantsOf,
  prevails,
  publicationText,
  validTopology,
} from "../publication.ts";
import { chainNow, regionOf, type Site } from "../site.ts";

/** Round trips measured for the scan serve the topology as well. */
const FRESH_MILLIS = 60_000;

const publication = z.strictObject({
  requested: z.enum(REQUESTED_TOPOLOGIES),
  /** Auctions with leases that it counts, and the digest of these. */
  auctions: z.number().int().min(1).max(10_000),
  leases: hex32,
  pairs: pairsOnWire,
  publisher: regionId,
  signature: z.string().regex(/^0x[0-9a-f]{130}$/),
});
const exchange = z.strictObject({ meshId, known: publication.nullable() });
const exchanged = z.strictObject({ known: publication.nullable() });

/**
 * While the auction runs, the opener asks those in reach how far they are from one another: nothing waits for it later.
 * Whoever takes the opener's place asks the participants.
 */
export async function measurePairs(site: Site, mesh: Mesh): Promise<void> {
  const others = (
    mesh.peers?.filter((peer) => peer.included).map((peer) => peer.id) ?? participantsOf(leasesOf(mesh))
  ).filter((id) => id !== site.self);
  const [own, theirs] = await Promise.all([
    measureTo(site, others),
    Promise.all(
      others.map((id) =>
        askRoundTrips(
          site,
          id,
          others.filter((other) => other !== id),
        ),
      ),
    ),
  ]);
  const pairs = mergePairs([...own, ...theirs.flat()]);
  site.dispatch({ type: "PairsMeasured", mesh: mesh.key, pairs, auctions: mesh.auctions.length });
}

/** Fixes the mesh's links: everybody who has a lease in it asks for this and computes the same. */
export async function publishTopology(site: Site, mesh: Mesh): Promise<void> {
  const auctions = grantedAuctions(mesh).length;
  const participants = participantsOf(leasesOf(mesh));
  // So late somebody may have published in our place, or before we were restarted: what stands is not replaced.
  if (chainNow(site) >= openerHasUntilSeconds(mesh)) {
    const others = participants.filter((id) => id !== site.self);
    await Promise.allSettled(others.map((id) => compareWith(site, mesh, id)));
    const standing = validTopology(newest(site, mesh));
    if (standing && standing.auctions >= auctions) return;
  }
  const requested = mesh.event?.topology ?? mesh.topology?.requested ?? site.config.topology;
  const measured = { requested, auctions, pairs: mesh.pairs?.measured ?? [] };
  const unsigned = {
    requested,
    auctions,
    leases: digestOfLeases(mesh, auctions),
    pairs: bounded(pairsThatCount(planFor(mesh, measured))),
    publisher: site.self,
    signature: "0x" as Hex,
  };
  await adopt(site, mesh, {
    ...unsigned,
    signature: await site.key.signMessage({ message: statement(site, mesh, unsigned) }),
  });
}

/** @throws EphemeshError TOPOLOGY_NOT_YET where nobody asked has one for the newest leases */
export async function fetchTopology(
  site: Site,
  mesh: Mesh,
  { from }: Extract<Action, { kind: "fetch-topology" }>,
): Promise<void> {
  const asked = await Promise.allSettled(from.map((id) => compareWith(site, mesh, id)));
  if ((validTopology(newest(site, mesh))?.auctions ?? 0) >= grantedAuctions(mesh).length) return;
  const failed = asked.find((each) => each.status === "rejected");
  throw failed ? failed.reason : notYet("nobody asked has published one for these leases");
}

export function compareTopology(
  site: Site,
  mesh: Mesh,
  action: Extract<Action, { kind: "compare-topology" }>,
): Promise<void> {
  return compareWith(site, mesh, action.with);
}

/** Tells a participant which topology stands here and hears which there: afterwards both have the one that prevails. */
export async function answerTopology(site: Site, body: unknown): Promise<z.input<typeof exchanged>> {
  const asked = exchange.parse(body);
  const mesh = [...site.world().meshes.values()].find((each) => each.id === asked.meshId);
  if (!mesh) throw notYet("the mesh is not known here yet");
  if (asked.known) await adopt(site, mesh, received(asked.known));
  return { known: onWire(newest(site, mesh)) };
}

export async function measureTo(site: Site, targets: readonly RegionId[]): Promise<MeasuredPair[]> {
  const regions = targets.flatMap((id) => site.regions().get(id) ?? []);
  const probed = await site.latencies.measure(regions, FRESH_MILLIS, site.signal);
  return probed.flatMap(({ region, rttMicros }) =>
    rttMicros === null
      ? []
      : [{ a: Math.min(site.self, region.id) as RegionId, b: Math.max(site.self, region.id) as RegionId, rttMicros }],
  );
}

async function compareWith(site: Site, mesh: Mesh, id: RegionId): Promise<void> {
  const { known } = exchanged.parse(
    await site.control.ask(regionOf(site, id), "topology", { meshId: mesh.id, known: onWire(mesh) }),
  );
  if (known) await adopt(site, mesh, received(known));
}

/** Takes a publication over if it is sound and prevails over what stands here; anything else changes nothing. */
async function adopt(site: Site, { key }: Mesh, found: Publication): Promise<void> {
  const signer = async (mesh: Mesh) =>
    recoverMessageAddress({ message: statement(site, mesh, found), signature: found.signature }).catch(() => null);
  const before = site.world().meshes.get(key);
  if (!before || !isSound(before, found)) return;
  if ((await signer(before))?.toLowerCase() !== regionOf(site, found.publisher).agentKey.toLowerCase())
    throw new EphemeshError(
      "TOPOLOGY_SIGNATURE",
      `The topology is not signed by region ${found.publisher}, who is said to publish it.`,
      "What stands here was kept.",
    );
  // From here to the dispatch nothing waits, so that of two that come at once the one that prevails stays.
  const mesh = site.world().meshes.get(key);
  const opener = mesh?.auctions[0]?.terms;
  if (!mesh || !opener || !isSound(mesh, found)) return;
  const standing = validTopology(mesh);
  if (standing && !prevails(found, standing, opener.opener)) return;
  const plan = planTopology(planFor(mesh, found));
  site.dispatch({ type: "TopologyPublished", meshId: opener.mesh, topology: { ...found, ...plan } });
}

function planFor(
  mesh: Mesh,
  { requested, auctions, pairs }: Pick<Publication, "requested" | "auctions" | "pairs">,
): TopologyRequest {
  const { kind, latencyBoundMicros } = mesh.auctions[0]!.terms;
  const counted = grantedAuctions(mesh).slice(0, auctions);
  const leases = counted
    .flatMap((auction) => auction.leases)
    .map(({ buyer, seller, mbps }) => ({ buyer, seller, mbps }));
  return { mode: requested, kind, leases, pairs, latencyBoundMicros };
}

async function askRoundTrips(site: Site, of: RegionId, targets: readonly RegionId[]): Promise<MeasuredPair[]> {
  const answer = z.strictObject({ pairs: pairsOnWire });
  try {
    const { pairs } = answer.parse(await site.control.ask(regionOf(site, of), "round-trips", { targets }));
    return pairs.filter((pair) => pair.a === of || pair.b === of);
  } catch (error) {
    // A participant that does not say gets no added link; its lease stands all the same.
    site.log.warn({ region: of, err: error }, "round trips are not known");
    return [];
  }
}

function onWire(mesh: Mesh): z.input<typeof publication> | null {
  const standing = validTopology(mesh);
  if (!standing) return null;
  const { requested, auctions, leases, pairs, publisher, signature } = standing;
  return { requested, auctions, leases, pairs: flattened(pairs), publisher, signature };
}

function received(known: z.output<typeof publication>): Publication {
  return { ...known, signature: known.signature as Hex };
}

function statement(site: Site, mesh: Mesh, of: Publication): string {
  const { chainId, auction } = site.deployment;
  return `ephemesh topology of mesh ${mesh.id} on ${auction.toLowerCase()}, chain ${chainId}: ${publicationText(of)}`;
}

function newest(site: Site, mesh: Mesh): Mesh {
  return site.world().meshes.get(mesh.key) ?? mesh;
}

function notYet(what: string): EphemeshError {
  return new EphemeshError("TOPOLOGY_NOT_YET", `Not yet: ${what}.`, "Ask again in a moment.", { retryable: true });
}

/** Two ends measured one pair: the larger figure, so that neither can make a link look better alone. */
function mergePairs(pairs: readonly MeasuredPair[]): MeasuredPair[] {
  const merged = new Map<string, MeasuredPair>();
  for (const pair of pairs) {
    const key = `${pair.a}-${pair.b}`;
    const known = merged.get(key);
    if (!known || known.rttMicros < pair.rttMicros) merged.set(key, pair);
  }
  return [...merged.values()].sort((x, y) => x.a - y.a || x.b - y.b);
}
