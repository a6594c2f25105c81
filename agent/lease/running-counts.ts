/**
 * Counters of a link that never decrease, although an interface that is made again counts from 0. What was counted but
 * not read before a reset is lost; nothing is counted twice. Pure.
 */
export interface LinkCounts {
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
}

export const NOTHING_COUNTED: LinkCounts = { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0 };

export class RunningCounts {
  readonly #links = new Map<string, { readonly shown: LinkCounts; readonly total: LinkCounts }>();

  /**
   * @param shown the interface's counters now; 0 if it is gone.
   * @param signed totals in the last co-signed receipt: after a restart of the agent, the least that is counted.
   */
  total(link: string, shown: LinkCounts, signed: LinkCounts): LinkCounts {
    const before = this.#links.get(link);
    const total = each((of) =>
      before ? before.total[of] + grown(before.shown[of], shown[of]) : Math.max(shown[of], signed[of]),
    );
    this.#links.set(link, { shown, total });
    return total;
  }
}

function grown(before: number, now: number): number {
  return now >= before ? now - before : now;
}

function each(value: (of: keyof LinkCounts) => number): LinkCounts {
  return {
    receivedPackets: value("receivedPackets"),
    receivedBytes: value("receivedBytes"),
    sentPackets: value("sentPackets"),
    sentBytes: value("sentBytes"),
  };
}
