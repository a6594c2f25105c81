/**
 * Counters of a link that never go back: an interface that is made anew counts from 0, and one that is gone shows 0. What
 * was counted before a reset stays; what was counted and not read before it is lost, never counted twice. Pure.
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
   * @param shown by the interface now.
   * @param signed totals that both sides signed: where an agent that starts anew goes on from, if the interface shows less.
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
