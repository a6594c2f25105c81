/** What the demo measured, as data and as a table. Pure. */
export interface DemoFigures {
  readonly triggerToFirstPacketMillis: number;
  readonly steps: Readonly<
    Record<"scan" | "open" | "auctionWindows" | "clear" | "handshake" | "eni" | "leaseLead" | "firstPacket", number>
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

/** From the lines that differ in each region's configuration, before and after. */
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
      `${figures.meshMbpsAfterCut.toFixed(1)} Mbit/s by ${figures.detour.join(" → ") || "the peering"}`,
    ],
    [
      "gap after the cable was cut",
      `${figures.failoverGapMillis.cableCut} ms (at most ${Math.round(allowedGap)} expected)`,
    ],
    [
      "gap after silent loss one way",
      `${figures.failoverGapMillis.silentLoss} ms (at most ${Math.round(allowedGap)} expected)`,
    ],
    ["file's digest at the far end", figures.digestMatches ? "matches" : "DIFFERS"],
    ["primary configuration", figures.primaryUntouched ? "byte for byte what it was" : "CHANGED"],
    ["left behind", `${figures.leftBehind} objects`],
    ["audit from events alone", figures.auditMatches ? "every score matches" : "DOES NOT MATCH"],
    [
      "agent + meshd",
      `${figures.agentRssMegabytes.toFixed(0)} MB, ${figures.idleCpuPercent.toFixed(2)} % of a core at rest`,
    ],
    ["the whole demo", `${figures.wholeDemoSeconds.toFixed(0)} s`],
  ];
}
