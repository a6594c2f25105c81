/**
 * Who publishes a mesh's topology, and which publication stands where there are several. Pure.
 *
 * The opener publishes. Where nothing came of it, the participants take over in turn, lowest region first, counted from
 * the clearing of the newest auction: nobody has to agree on who is alive. A publication is signed and passed on by
 * whoever has it, and any two are ordered by `prevails`: whatever is published during a partition, all who hear of one
 * another end with the same one.
 */
import { type Hex, keccak256, stringToHex } from "viem";
import type { GrantedLease } from "../auction/facts.ts";
import type { RegionId } from "../model/ids.ts";
import { type Auction, leasesOf, type Mesh, type PublishedTopology } from "./mesh.ts";

/** What is signed and passed on; the links are computed from it by everybody. */
export type Publication = Omit<PublishedTopology, "mode" | "reason" | "added">;

/** The opener has so long, each participant after it in turn so much longer. */
const OPENER_SECONDS = 10;
const TURN_SECONDS = 5;

/** Unix second from which this region may publish for the newest leases: 0 for the opener, infinite for a stranger. */
export function publishesFromSeconds(mesh: Mesh, self: RegionId, nowSeconds: number): number {
  const opener = mesh.auctions[0]?.terms.opener;
  if (self === opener) return 0;
  const successors = participantsOf(leasesOf(mesh).filter((lease) => lease.endSeconds > nowSeconds)).filter(
    (id) => id !== opener,
  );
  const turn = successors.indexOf(self);
  return turn < 0 ? Number.POSITIVE_INFINITY : openerHasUntilSeconds(mesh) + TURN_SECONDS * turn;
}

/** Until then only the opener is asked. */
export function openerHasUntilSeconds(mesh: Mesh): number {
  const outcome = grantedAuctions(mesh).at(-1)?.outcome;
  return (outcome && !outcome.cancelled ? outcome.atSeconds : 0) + OPENER_SECONDS;
}

/** The published topology, unless the chain has taken back leases that it counts. */
export function validTopology(mesh: Mesh): PublishedTopology | null {
  const { topology } = mesh;
  return topology && topology.leases === digestOfLeases(mesh, topology.auctions) ? topology : null;
}

/** More leases counted, then the opener's, then the lowest region's, then the smaller hash: a total order. */
export function prevails(one: Publication, other: Publication, opener: RegionId): boolean {
  const rank = ({ publisher }: Publication) => (publisher === opener ? 0 : publisher);
  if (one.auctions !== other.auctions) return one.auctions > other.auctions;
  if (rank(one) !== rank(other)) return rank(one) < rank(other);
  return keccak256(stringToHex(publicationText(one))) < keccak256(stringToHex(publicationText(other)));
}

/** Whether what it says of the chain is so, and its publisher is one who may; the signature is looked at elsewhere. */
export function isSound(mesh: Mesh, publication: Publication): boolean {
  const { auctions, leases, publisher } = publication;
  const counted = grantedAuctions(mesh).slice(0, auctions);
  return (
    counted.length === auctions &&
    leases === digestOfLeases(mesh, auctions) &&
    (publisher === mesh.auctions[0]?.terms.opener || participantsOf(leasesIn(counted)).includes(publisher))
  );
}

/** What its publisher signs, together with the mesh and the deployment. */
export function publicationText({ requested, auctions, leases, pairs, publisher }: Publication): string {
  return JSON.stringify([publisher, requested, auctions, leases, pairs.map((p) => [p.a, p.b, p.rttMicros])]);
}

/** Of the leases of the first auctions that granted any. Not their times: a lease that comes back in another block is the same. */
export function digestOfLeases(mesh: Mesh, auctions: number): Hex {
  const leases = leasesIn(grantedAuctions(mesh).slice(0, auctions));
  return keccak256(stringToHex(JSON.stringify(leases.map((l) => [l.id, l.seller, l.buyer, l.mbps]))));
}

export function grantedAuctions(mesh: Mesh): readonly Auction[] {
  return mesh.auctions.filter(({ leases }) => leases.length > 0);
}

export function participantsOf(leases: readonly GrantedLease[]): RegionId[] {
  return [...new Set(leases.flatMap((lease) => [lease.buyer, lease.seller]))].sort((a, b) => a - b);
}

function leasesIn(auctions: readonly Auction[]): GrantedLease[] {
  return auctions.flatMap(({ leases }) => leases);
}
