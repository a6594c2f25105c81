/**
 * Who publishes a mesh's topology, and which one is used where several were published. Pure.
 *
 * The opener publishes. If it has not, the participants take over in turn, lowest region first, counted from the
 * clearing of the newest auction: nobody has to agree on who is alive. A topology is signed by its publisher and passed
 * on by every participant, and `supersedes` orders any two: whatever is published during a partition, all who hear of
 * one another end with the same one.
 */
import { type Hex, keccak256, stringToHex } from "viem";
import type { GrantedLease } from "../auction/facts.ts";
import type { RegionId } from "../model/ids.ts";
import { type SignedTopology, topologyHash } from "../topology/signing.ts";
import { type Auction, leasesOf, type Mesh, type PublishedTopology } from "./mesh.ts";

/** The opener's turn, then one for each participant. */
const OPENER_SECONDS = 10;
const TURN_SECONDS = 5;

/** Unix second from which this region may publish for the newest leases: 0 for the opener, infinite for no participant. */
export function earliestPublishSeconds(mesh: Mesh, self: RegionId, nowSeconds: number): number {
  const opener = mesh.auctions[0]?.terms.opener;
  if (self === opener) return 0;
  const successors = participantsOf(leasesOf(mesh).filter((lease) => lease.endSeconds > nowSeconds)).filter(
    (id) => id !== opener,
  );
  const turn = successors.indexOf(self);
  return turn < 0 ? Number.POSITIVE_INFINITY : openerDeadlineSeconds(mesh) + TURN_SECONDS * turn;
}

/** Until then only the opener is asked. */
export function openerDeadlineSeconds(mesh: Mesh): number {
  const outcome = grantedAuctions(mesh).at(-1)?.outcome;
  return (outcome && !outcome.cancelled ? outcome.atSeconds : 0) + OPENER_SECONDS;
}

/** The published topology; null if the chain has taken back leases that it counts. */
export function validTopology(mesh: Mesh): PublishedTopology | null {
  const { topology } = mesh;
  return topology && topology.leases === digestOfLeases(mesh, topology.auctions) ? topology : null;
}

/** More auctions counted, then the opener's, then the lowest region's, then the smaller hash: a total order. */
export function supersedes(mesh: Mesh, one: SignedTopology, other: SignedTopology): boolean {
  const opener = mesh.auctions[0]?.terms.opener;
  const rank = ({ publisher }: SignedTopology) => (publisher === opener ? 0 : publisher);
  if (one.auctions !== other.auctions) return one.auctions > other.auctions;
  if (rank(one) !== rank(other)) return rank(one) < rank(other);
  return mesh.id !== null && topologyHash(mesh.id, one) < topologyHash(mesh.id, other);
}

/** Whether the leases that it counts are those of the chain and its publisher may publish; the signature is not checked. */
export function matchesChain(mesh: Mesh, { auctions, leases, publisher }: SignedTopology): boolean {
  const counted = grantedAuctions(mesh).slice(0, auctions);
  return (
    counted.length === auctions &&
    leases === digestOfLeases(mesh, auctions) &&
    (publisher === mesh.auctions[0]?.terms.opener || participantsOf(leasesIn(counted)).includes(publisher))
  );
}

/** Of the leases of the first auctions that granted any. Not their times: a lease that returns in another block is the same. */
export function digestOfLeases(mesh: Mesh, auctions: number): Hex {
  const leases = leasesIn(grantedAuctions(mesh).slice(0, auctions));
  return keccak256(stringToHex(JSON.stringify(leases.map((l) => [l.id, l.seller, l.buyer, l.mbps]))));
}

/** The auctions that granted leases, in order. */
export function grantedAuctions(mesh: Mesh): readonly Auction[] {
  return mesh.auctions.filter(({ leases }) => leases.length > 0);
}

/** The regions that buy or sell, each once, by id. */
export function participantsOf(leases: readonly GrantedLease[]): RegionId[] {
  return [...new Set(leases.flatMap((lease) => [lease.buyer, lease.seller]))].sort((a, b) => a - b);
}

function leasesIn(auctions: readonly Auction[]): GrantedLease[] {
  return auctions.flatMap(({ leases }) => leases);
}
