/** What the publisher of a topology signs (EIP-712): the inputs from which every participant computes the links. Pure. */
import { type Hex, hashStruct } from "viem";
import type { MeshId, RegionId } from "../model/ids.ts";
import { signingDomain } from "../model/signing-domain.ts";
import type { RequestedTopology } from "../model/topology-mode.ts";
import type { MeasuredPair } from "./topology.ts";

export interface SignedTopology {
  /** The mode asked for; the mode that is used follows from it. */
  readonly requested: RequestedTopology;
  /** Auctions with leases that it counts: each further one makes it out of date. */
  readonly auctions: number;
  /** Digest of the leases that it counts: it is void if the chain takes one of them back. */
  readonly leases: Hex;
  readonly pairs: readonly MeasuredPair[];
  readonly publisher: RegionId;
  readonly signature: Hex;
}

export type UnsignedTopology = Omit<SignedTopology, "signature">;

const TYPES = {
  Topology: [
    { name: "meshId", type: "uint32" },
    { name: "publisher", type: "uint32" },
    { name: "requested", type: "string" },
    { name: "auctions", type: "uint32" },
    { name: "leases", type: "bytes32" },
    // One array of 20,000 structs takes seconds to hash.
    { name: "pairs", type: "bytes" },
  ],
} as const;

/** @param auction the CapacityAuction contract of the mesh. */
export function topologyTypedData(chainId: number, auction: Hex, meshId: MeshId, topology: UnsignedTopology) {
  return {
    domain: signingDomain(chainId, auction),
    types: TYPES,
    primaryType: "Topology",
    message: messageOf(meshId, topology),
  } as const;
}

/** The same in every deployment: orders two topologies that are equal in everything else. */
export function topologyHash(meshId: MeshId, topology: UnsignedTopology): Hex {
  return hashStruct({ data: messageOf(meshId, topology), primaryType: "Topology", types: TYPES });
}

function messageOf(meshId: MeshId, { publisher, requested, auctions, leases, pairs }: UnsignedTopology) {
  return { meshId, publisher, requested, auctions, leases, pairs: packed(pairs) };
}

/** Twelve bytes a pair: lower region, higher region, round trip in µs, as big-endian uint32. */
function packed(pairs: readonly MeasuredPair[]): Hex {
  const words = pairs.flatMap(({ a, b, rttMicros }) => [a, b, rttMicros]);
  return `0x${words.map((word) => word.toString(16).padStart(8, "0")).join("")}`;
}
