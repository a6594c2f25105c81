/** On which of a region's fabrics to open an auction: the one with the most sellers in reach. Pure. */
export interface FabricCandidate {
  readonly fabric: string;
  /** Included peers that are attached to it. */
  readonly peers: number;
  /** Mbit/s of this region's underlays on it that no lease or order holds. */
  readonly spareMbps: number;
}

export interface FabricChoice {
  readonly name: string;
  readonly reason: string;
}

/** Most peers in reach, then most spare capacity, then the order of the configuration; null without a candidate. */
export function chooseFabric(candidates: readonly FabricCandidate[]): FabricChoice | null {
  const [best, ...others] = candidates.toSorted((a, b) => b.peers - a.peers || b.spareMbps - a.spareMbps);
  if (!best) return null;
  const { fabric, peers, spareMbps } = best;
  const found = `${peers} peer${peers === 1 ? "" : "s"} in reach on ${fabric}`;
  const next = others[0];
  if (!next) return { name: fabric, reason: `${found}, the only fabric of this region` };
  if (next.peers < peers) {
    const elsewhere = others.map((each) => `${each.peers} on ${each.fabric}`).join(", ");
    return { name: fabric, reason: `${found}, the most (${elsewhere})` };
  }
  if (next.spareMbps < spareMbps)
    return {
      name: fabric,
      reason: `${found}, as many as on ${next.fabric}; more is spare on it (${spareMbps} Mbit/s)`,
    };
  return { name: fabric, reason: `${found}, as many as on ${next.fabric}; it is configured first` };
}
