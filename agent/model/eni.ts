/** How agents reach each other inside an ENI, the ephemeral network interface of a link. */
import type { RegionId } from "./ids.ts";

/** TCP port of the control channel at the link-local addresses of an ENI. */
export const ENI_CONTROL_PORT = 7357;

/** One end of an ENI. */
export interface EniEnd {
  /** Interface name, the scope of both link-local addresses. */
  readonly device: string;
  readonly ownAddress: string;
  readonly peerAddress: string;
  readonly peer: RegionId;
}
