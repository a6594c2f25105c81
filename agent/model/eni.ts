/** What agents need to know of an ENI to talk to one another inside it. */
import type { RegionId } from "./ids.ts";

/** TCP, at the link-local address of either end. */
export const ENI_CONTROL_PORT = 7357;

export interface EniEnd {
  /** The scope of both addresses. */
  readonly device: string;
  readonly ownAddress: string;
  readonly peerAddress: string;
  readonly peer: RegionId;
}
