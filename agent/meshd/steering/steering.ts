/** The content of our nftables table: which pairs are steered and accepted, and the rate of each lease. */

export interface SteeredPair {
  readonly source: string;
  readonly destination: string;
  readonly mark: number;
}

export interface MarkedPrefix {
  readonly prefix: string;
  readonly mark: number;
}

export interface GuardedLease {
  readonly device: string;
  /** Marks of the packets that count against the lease. */
  readonly marks: readonly number[];
  readonly meshIndex: number;
  readonly rateMbps: number;
}

export interface Steering {
  readonly devices: readonly string[];
  /** From hosts of this region to other regions. */
  readonly outbound: readonly SteeredPair[];
  /** Accepted from the mesh: for hosts of this region, or in transit. */
  readonly inbound: readonly SteeredPair[];
  /** All destinations of `outbound`. ICMP errors need no pair, because any router on a path may send them. */
  readonly outboundDestinations: readonly MarkedPrefix[];
  /** All destinations of `inbound`, likewise. */
  readonly inboundDestinations: readonly MarkedPrefix[];
  readonly leases: readonly GuardedLease[];
  /** Of the buyers whose packets this node marks. */
  readonly meshIndexes: readonly number[];
  /** For the hash of flows; different at each node, or flows that one node sent to the same next hop would stay together. */
  readonly seed: number;
}
