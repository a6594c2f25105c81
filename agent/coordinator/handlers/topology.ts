import { z } from "zod";
import { EphemeshError } from "../../model/errors.ts";
import { type RegionId, regionId } from "../../model/ids.ts";
import { type MeasuredPair, planTopology } from "../../topology/topology.ts";
import { type Auction, leasesOf, type Mesh, type PublishedTopology } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import { regionOf, type Site } from "../site.ts";

/** Round trips measured for the scan serve the topology as well. */
const FRESH_MILLIS = 60_000;

const publication = z.strictObject({
  requested: z.enum(["auto", "star", "ring", "full"]),
  /** Auctions with leases that it counts. */
  auctions: z.number().int().min(1).max(10_000),
  pairs: z
    .array(z.strictObject({ a: regionId, b: regionId, rttMicros: z.number().int().min(0).max(60_000_000) }))
    .max(20_000),
});

/** While the auction runs, the opener asks those in reach how far they are from one another: nothing waits for it later. */
export async function measurePairs(site: Site, mesh: Mesh): Promise<void> {
  const others = (mesh.peers ?? []).filter((peer) => peer.included).map((peer) => peer.id);
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
  const participants = participantsOf(mesh);
  const pairs = (mesh.pairs?.measured ?? []).filter(({ a, b }) => participants.includes(a) && participants.includes(b));
  const requested = mesh.event?.topology ?? site.config.topology;
  site.dispatch({
    type: "TopologyPublished",
    meshId: mesh.id!,
    topology: published(mesh, { requested, pairs, auctions }),
  });
}

export async function fetchTopology(
  site: Site,
  mesh: Mesh,
  { from }: Extract<Action, { kind: "fetch-topology" }>,
): Promise<void> {
  const answer = publication.parse(await site.control.ask(regionOf(site, from), "topology", { meshId: mesh.id }));
  if (answer.auctions > grantedAuctions(mesh).length || answer.auctions <= (mesh.topology?.auctions ?? 0))
    throw notYet("the topology counts other leases than are known here");
  site.dispatch({
    type: "TopologyPublished",
    meshId: mesh.id!,
    topology: published(mesh, answer),
  });
}

/** What a participant is told who asks for a mesh's topology; it computes the links itself. */
export function topologyFor(mesh: Mesh | undefined): z.input<typeof publication> {
  if (!mesh?.topology) throw notYet("the topology is not known here yet");
  const { requested, pairs, auctions } = mesh.topology;
  return { requested, pairs: [...pairs], auctions };
}

function notYet(what: string): EphemeshError {
  return new EphemeshError("TOPOLOGY_NOT_YET", `Not yet: ${what}.`, "Ask again in a moment.", { retryable: true });
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

async function askRoundTrips(site: Site, of: RegionId, targets: readonly RegionId[]): Promise<MeasuredPair[]> {
  const answer = z.strictObject({ pairs: publication.shape.pairs });
  try {
    const { pairs } = answer.parse(await site.control.ask(regionOf(site, of), "round-trips", { targets }));
    return pairs.filter((pair) => pair.a === of || pair.b === of);
  } catch (error) {
    // A participant that does not say gets no added link; its lease stands all the same.
    site.log.warn({ region: of, err: error }, "round trips are not known");
    return [];
  }
}

function published(
  mesh: Mesh,
  { requested, pairs, auctions }: Pick<PublishedTopology, "requested" | "pairs" | "auctions">,
): PublishedTopology {
  const first = mesh.auctions[0]!.terms;
  const topology = planTopology({
    mode: requested,
    kind: first.kind,
    leases: grantedAuctions(mesh)
      .slice(0, auctions)
      .flatMap(({ leases }) => leases)
      .map(({ buyer, seller, mbps }) => ({ buyer, seller, mbps })),
    pairs,
    latencyBoundMicros: first.latencyBoundMicros,
  });
  return { requested, pairs, auctions, ...topology };
}

function grantedAuctions(mesh: Mesh): readonly Auction[] {
  return mesh.auctions.filter(({ leases }) => leases.length > 0);
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

function participantsOf(mesh: Mesh): RegionId[] {
  return [...new Set(leasesOf(mesh).flatMap((lease) => [lease.buyer, lease.seller]))].sort((a, b) => a - b);
}
