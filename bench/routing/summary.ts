/** Summarises single runs for the table. Pure. */

/** One fault, once. */
export interface Run {
  readonly alternate: boolean;
  /** From the fault until traffic is good again; null: not while it was watched. */
  readonly recoveredMillis: number | null;
  /** Total time in which traffic was not good while it was watched. */
  readonly badMillis: number;
  readonly lostPackets: number;
  /** Notifications of the kernels that change where packets go, of all nodes; `null`: not counted. */
  readonly routeEvents: number | null;
}

export interface Summary {
  readonly runs: number;
  readonly never: number;
  /** Of those that did not recover the figure is infinite, so a median may be `null`: never. */
  readonly medianMillis: number | null;
  readonly worstMillis: number | null;
}

export type Measure = "recovery" | "badTime";

export function summarise(runs: readonly Run[], measure: Measure): Summary | null {
  if (runs.length === 0) return null;
  const figures = runs
    .map((run) => (measure === "badTime" ? run.badMillis : (run.recoveredMillis ?? Number.POSITIVE_INFINITY)))
    .toSorted((a, b) => a - b);
  const finite = (figure: number) => (Number.isFinite(figure) ? Math.round(figure) : null);
  return {
    runs: runs.length,
    never: figures.filter((figure) => !Number.isFinite(figure)).length,
    medianMillis: finite(median(figures)),
    worstMillis: finite(figures.at(-1)!),
  };
}

/** Median and worst, as `150 (250)`; `never` if the system did not recover. */
export function cell(summary: Summary | null): string {
  if (!summary) return "–";
  const word = (millis: number | null) => millis?.toLocaleString("en") ?? "never";
  return `${word(summary.medianMillis)} (${word(summary.worstMillis)})`;
}

/** For an even number of values the mean of the middle two. @param sorted ascending */
export function median(sorted: readonly number[]): number {
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (sorted[sorted.length / 2 - 1]! + upper) / 2;
}

/**
 * Counts what `ip -o monitor route nexthop` said: routes of the peers to a region's prefix, and our next-hop objects of
 * the class that the stream belongs to, as a peer too has one route for all classes.
 */
export function routeEvents(lines: readonly string[], streamClassOf: (nextHopId: number) => boolean): number {
  return lines.filter((line) => {
    if (/^(Deleted )?10\.\d+\.0\.0\/16 .*\bproto (babel|ospf)\b/.test(line)) return true;
    const ours = /^(?:Deleted )?id (\d+) .*\bproto 69\b/.exec(line);
    return ours !== null && streamClassOf(Number(ours[1]));
  }).length;
}
