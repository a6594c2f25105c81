/** What our nftables table is to do: which pairs go where, and what each lease may send. */

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
  /** From our own hosts to others. */
  readonly outward: readonly SteeredPair[];
  /** What may come in from the mesh: for our own hosts, or in transit. */
  readonly arriving: readonly SteeredPair[];
  /** Where all of `outward` goes to. ICMP errors go by that alone: routers that no pair names send them. */
  readonly far: readonly MarkedPrefix[];
  /** The same for `arriving`. */
  readonly errorsIn: readonly MarkedPrefix[];
  readonly leases: readonly GuardedLease[];
  /** Of the buyers whose packets are marked here. */
  readonly meshIndexes: readonly number[];
  /** For the hash of flows; another one at each node, or all that one node sent by a path would go by one path again. */
  readonly seed: number;
}
