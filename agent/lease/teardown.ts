/** What both ends of a link sign after its interfaces are gone (EIP-712): its last counters at each end. */
import type { Hex } from "viem";
import type { LinkId, RegionId } from "../model/ids.ts";
import { signingDomain } from "../model/signing-domain.ts";

export interface ByteCounts {
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export interface LinkEnd extends ByteCounts {
  readonly region: RegionId;
}

const TYPES = {
  LinkEnd: [
    { name: "region", type: "uint32" },
    { name: "receivedBytes", type: "uint64" },
    { name: "sentBytes", type: "uint64" },
  ],
  Teardown: [
    { name: "linkId", type: "bytes32" },
    { name: "asker", type: "LinkEnd" },
    { name: "answerer", type: "LinkEnd" },
  ],
} as const;

/** @param auction the CapacityAuction contract of the mesh. */
export function teardownTypedData(chainId: number, auction: Hex, linkId: LinkId, asker: LinkEnd, answerer: LinkEnd) {
  return {
    domain: signingDomain(chainId, auction),
    types: TYPES,
    primaryType: "Teardown",
    message: { linkId, asker: endOnWire(asker), answerer: endOnWire(answerer) },
  } as const;
}

function endOnWire({ region, receivedBytes, sentBytes }: LinkEnd) {
  return { region, receivedBytes: BigInt(receivedBytes), sentBytes: BigInt(sentBytes) };
}
