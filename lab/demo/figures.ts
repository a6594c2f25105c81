/** The figures of the demo, as data and as a table. Pure. */
export interface DemoFigures {
  readonly triggerToFirstPacketMillis: number;
  readonly steps: Readonly<
    Record<"scan" | "open" | "auctionPhases" | "clear" | "handshake" | "eni" | "leaseLead" | "firstPacket", number>
  >;
  readonly peeringMbps: number;
  readonly meshMbps: number;
  readonly leasedMbps: number;
  readonly meshMbpsAfterCut: number;
  /** What arrived of the file, averaged over consecutive periods; the cable was cut `cutAtMillis` after the start. */
  readonly throughput: {
    readonly periodMillis: number;
    readonly mbps: readonly number[];
    readonly cutAtMillis: number;
  };
  readonly failoverGapMillis: { readonly cableCut: number; readonly silentLoss: number };
  readonly maxLinkRttMillis: number;
  readonly peeringMegabytesMeanwhile: number;
  readonly detour: readonly string[];
  readonly primaryUntouched: boolean;
  readonly leftBehind: number;
  readonly auditMatches: boolean;
  readonly digestMatches: boolean;
  readonly agentRssMegabytes: number;
  readonly idleCpuPercent: number;
  readonly wholeDemoSeconds: number;
}

/** @param differing lines of each router's configuration that differ before and after the event. */
export function verdictOf(differing: readonly number[]): Pick<DemoFigures, "primaryUntouched" | "leftBehind"> {
  const total = differing.reduce((sum, count) => sum + count, 0);
  return { primaryUntouched: total === 0, leftBehind: total };
}

export function figuresTable(figures: DemoFigures): readonly (readonly [what: string, measured: string])[] {
  const { steps } = figures;
  const allowedGap = 400 + 1.5 * figures.maxLinkRttMillis;
  return [
    ["trigger to first packet over the mesh", `${figures.triggerToFirstPacketMillis} ms`],
    ...Object.entries(steps).map(([step, millis]) => [`  ${step}`, `${millis} ms`] as const),
    ["over the standing peering", `${figures.peeringMbps.toFixed(1)} Mbit/s`],
    [
      "over the mesh",
      `${figures.meshMbps.toFixed(1)} of ${figures.leasedMbps} Mbit/s leased (${((100 * figures.meshMbps) / figures.leasedMbps).toFixed(1)} %)`,
    ],
    [
      "over the mesh after the cut",
      `${figures.meshMbpsAfterCut.toFixed(1)} Mbit/s via ${figures.detour.join(" → ") || "the peering"}`,
    ],
    [
      "gap after the cable was cut",
      `${figures.failoverGapMillis.cableCut} ms (at most ${Math.round(allowedGap)} expected)`,
    ],
    [
      "gap after silent loss one way",
      `${figures.failoverGapMillis.silentLoss} ms (at most ${Math.round(allowedGap)} expected)`,
    ],
    ["digest of the received file", figures.digestMatches ? "matches" : "DIFFERS"],
    ["primary configuration", figures.primaryUntouched ? "byte for byte unchanged" : "CHANGED"],
    ["lines of configuration left behind", `${figures.leftBehind}`],
    ["audit from the events alone", figures.auditMatches ? "every score matches" : "DOES NOT MATCH"],
    [
      "agent + meshd",
      `${figures.agentRssMegabytes.toFixed(0)} MB, ${figures.idleCpuPercent.toFixed(2)} % of a core at rest`,
    ],
    ["the whole demo", `${figures.wholeDemoSeconds.toFixed(0)} s`],
  ];
}

export function secondsText(millis: number): string {
  return `${(millis / 1000).toFixed(1)} s`;
}
