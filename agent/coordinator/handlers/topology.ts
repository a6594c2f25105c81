import { recoverTypedDataAddress } from "viem";
import { z } from "zod";
import { EphemeshError } from "../../model/errors.ts";
import { chainSignature, hex32, meshId, type RegionId, regionId } from "../../model/ids.ts";
import { REQUESTED_TOPOLOGIES } from "../../model/topology-mode.ts";
import { type SignedTopology, topologyTypedData, type UnsignedTopology } from "../../topology/signing.ts";
import { type MeasuredPair, planTopology, relevantPairs, type TopologyRequest } from "../../topology/topology.ts";
import { leasesOf, type Mesh } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import { bounded, flattened, pairsOnWire } from "../pairs.ts";
import {
  digestOfLeases,
  grantedAuctions,
  matchesChain,
  openerDeadlineSeconds,
  participantsOf,
  supersedes,
  validTopology,
} from "../publication.ts";
import { chainNow, regionOf, type Site } from "../site.ts";

/** Round trips measured for the scan serve the topology as well. */
const FRESH_MILLIS = 60_000;

const signedTopology = z.strictObject({
  requested: z.enum(REQUESTED_TOPOLOGIES),
  auctions: z.number().int().min(1).max(10_000),
  leases: hex32,
  pairs: pairsOnWire,
  publisher: regionId,
  signature: chainSignature,
});
const exchange = z.strictObject({ meshId, known: signedTopology.nullable() });
const exchanged = z.strictObject({ known: signedTopology.nullable() });

/**
 * The opener asks the peers in reach for the round trips between them while the auction runs, so that nothing waits for
 * it later. A participant that takes the opener's place asks the other participants.
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

/** Publishes the inputs of the topology: every participant fetches them and computes the same links. */
export async function publishTopology(site: Site, mesh: Mesh): Promise<void> {
  const auctions = grantedAuctions(mesh).length;
  const participants = participantsOf(leasesOf(mesh));
  // After the opener's turn another may have published, or this agent before its restart: that one is kept.
  if (chainNow(site) >= openerDeadlineSeconds(mesh)) {
    const others = participants.filter((id) => id !== site.self);
    await Promise.allSettled(others.map((id) => compareWith(site, mesh, id)));
    const current = validTopology(newest(site, mesh));
    if (current && current.auctions >= auctions) return;
  }
  const requested = mesh.event?.topology ?? mesh.topology?.requested ?? site.config.topology;
  const measured = { requested, auctions, pairs: mesh.pairs?.measured ?? [] };
  const unsigned = {
    requested,
    auctions,
    leases: digestOfLeases(mesh, auctions),
    pairs: bounded(relevantPairs(planFor(mesh, measured))),
    publisher: site.self,
  };
  await adopt(site, mesh, { ...unsigned, signature: await site.key.signTypedData(typedData(site, mesh, unsigned)) });
}

/** @throws EphemeshError TOPOLOGY_NOT_YET if none of the peers asked has one for the newest leases */
export async function fetchTopology(
  site: Site,
  mesh: Mesh,
  { from }: Extract<Action, { kind: "fetch-topology" }>,
): Promise<void> {
  const asked = await Promise.allSettled(from.map((id) => compareWith(site, mesh, id)));
  if ((validTopology(newest(site, mesh))?.auctions ?? 0) >= grantedAuctions(mesh).length) return;
  const failed = asked.find((each) => each.status === "rejected");
  throw failed ? failed.reason : notYet("none of the peers asked has a topology for the newest leases");
}

/** Exchanges topologies with one peer. @throws EphemeshError PEER_UNREACHABLE, TOPOLOGY_SIGNATURE */
export function compareTopology(
  site: Site,
  mesh: Mesh,
  action: Extract<Action, { kind: "compare-topology" }>,
): Promise<void> {
  return compareWith(site, mesh, action.with);
}

/** Each tells the other its topology; afterwards both have the one that supersedes the other. */
export async function answerTopology(site: Site, body: unknown): Promise<z.input<typeof exchanged>> {
  const asked = exchange.parse(body);
  const mesh = [...site.world().meshes.values()].find((each) => each.id === asked.meshId);
  if (!mesh) throw notYet("the mesh is not known here");
  if (asked.known) await adopt(site, mesh, asked.known);
  return { known: toWire(newest(site, mesh)) };
}

/** Round trips from this region, in microseconds; regions that do not answer are left out. */
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
    await site.control.ask(regionOf(site, id), "topology", { meshId: mesh.id, known: toWire(mesh) }),
  );
  if (known) await adopt(site, mesh, known);
}

/** Takes a topology over if it matches the chain and supersedes the current one; otherwise changes nothing. */
async function adopt(site: Site, { key }: Mesh, found: SignedTopology): Promise<void> {
  const before = site.world().meshes.get(key);
  if (!before || !matchesChain(before, found)) return;
  const { signature } = found;
  const signer = await recoverTypedDataAddress({ ...typedData(site, before, found), signature }).catch(() => null);
  if (signer?.toLowerCase() !== regionOf(site, found.publisher).agentKey.toLowerCase())
    throw new EphemeshError(
      "TOPOLOGY_SIGNATURE",
      `The topology names region ${found.publisher} as its publisher, but is not signed by that region's agent key. The current topology was kept.`,
      `Ask the operator of region ${found.publisher} to run its agent with the registered key; \`ephemesh doctor\` there checks it.`,
    );
  // No await from here to the dispatch: of two that arrive at once the superseding one stays.
  const mesh = site.world().meshes.get(key);
  const terms = mesh?.auctions[0]?.terms;
  if (!mesh || !terms || !matchesChain(mesh, found)) return;
  const current = validTopology(mesh);
  if (current && !supersedes(mesh, found, current)) return;
  const plan = planTopology(planFor(mesh, found));
  site.dispatch({ type: "TopologyPublished", meshId: terms.mesh, topology: { ...found, ...plan } });
}

function planFor(
  mesh: Mesh,
  { requested, auctions, pairs }: Pick<SignedTopology, "requested" | "auctions" | "pairs">,
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
    // A participant that does not answer gets no added links; its lease is not affected.
    site.log.warn({ region: of, err: error }, "the region did not tell its round trips");
    return [];
  }
}

function toWire(mesh: Mesh): z.input<typeof signedTopology> | null {
  const current = validTopology(mesh);
  if (!current) return null;
  const { requested, auctions, leases, pairs, publisher, signature } = current;
  return { requested, auctions, leases, pairs: flattened(pairs), publisher, signature };
}

function typedData(site: Site, mesh: Mesh, topology: UnsignedTopology) {
  return topologyTypedData(site.deployment.chainId, site.deployment.auction, mesh.id!, topology);
}

function newest(site: Site, mesh: Mesh): Mesh {
  return site.world().meshes.get(mesh.key) ?? mesh;
}

function notYet(what: string): EphemeshError {
  return new EphemeshError("TOPOLOGY_NOT_YET", `Not yet: ${what}.`, "Ask again in a moment.", { retryable: true });
}

/** Where both ends measured a pair, the larger figure, so that neither can make a link look better on its own. */
function mergePairs(pairs: readonly MeasuredPair[]): MeasuredPair[] {
  const merged = new Map<string, MeasuredPair>();
  for (const pair of pairs) {
    const key = `${pair.a}-${pair.b}`;
    const known = merged.get(key);
    if (!known || known.rttMicros < pair.rttMicros) merged.set(key, pair);
  }
  return [...merged.values()].sort((x, y) => x.a - y.a || x.b - y.b);
}
