/**
 * How bulk traffic is shared by up to three next hops in proportion to capacity. Flows are hashed into 64 buckets, and
 * eight bucket groups are assigned to links. A group stays on its link while that is up and leads downstream, and moves
 * at once otherwise; any other change must be better for 1 s, as for a single path.
 */
import { BUCKET_GROUPS } from "../kernel/marks.ts";
import {
  type Candidate,
  costText,
  HOLD_MILLIS,
  isBefore,
  isSignificantGain,
  URGENT_CHANGE_INTERVAL_MILLIS,
} from "./choice.ts";

export interface Spread {
  /** Tag of the link of each bucket group. */
  readonly bucketGroups: readonly string[];
  /** The lowest cost of the path over each link while in use. */
  readonly minCosts: ReadonlyMap<string, number>;
  readonly better: { readonly bucketGroups: readonly string[]; readonly sinceMillis: number } | null;
  readonly urgentChangeAtMillis: number | null;
}

export interface SpreadDecision {
  readonly spread: Spread | null;
  /** Null: nothing changed. */
  readonly reason: string | null;
  readonly recomputeAtMillis: number | null;
}

const MAX_LINKS = 3;

/** The next assignment of the bulk class: which link each bucket group uses. @param ownCostMicros of this node, to the destination */
export function decideSpread(
  current: Spread | null,
  candidates: readonly Candidate[],
  ownCostMicros: number,
  nowMillis: number,
): SpreadDecision {
  const downstream = candidates.filter(({ onwardMicros }) => onwardMicros < ownCostMicros).sort(bySooner);
  if (downstream.length === 0) {
    return { spread: null, reason: current ? "no path left in the mesh" : null, recomputeAtMillis: null };
  }
  const using = new Set(current?.bucketGroups);
  const used = downstream.filter(({ tag }) => using.has(tag));
  const minCosts = new Map(
    used.map(({ tag, costMicros }) => [tag, Math.min(current?.minCosts.get(tag) ?? costMicros, costMicros)]),
  );
  const worse = used.find(({ tag, costMicros }) => isSignificantGain(minCosts.get(tag) ?? costMicros, costMicros));
  const wanted = wantedOf(downstream, used);
  const goal = assign(current?.bucketGroups ?? [], wanted);
  const take = (
    bucketGroups: readonly string[],
    reason: string,
    urgentChangeAtMillis: number | null,
  ): SpreadDecision => {
    // After an urgent change a better assignment may remain. It is held like any other improvement, and needs a time to
    // be decided at, since nothing else may trigger the next computation.
    const usedNow = downstream.filter(({ tag }) => bucketGroups.includes(tag));
    const rest = assign(bucketGroups, wantedOf(downstream, usedNow));
    const better = isSame(rest, bucketGroups) ? null : { bucketGroups: rest, sinceMillis: nowMillis };
    return {
      spread: { bucketGroups, minCosts: costsOf(bucketGroups, downstream, minCosts), better, urgentChangeAtMillis },
      reason: `${reason}; ${spreadText(bucketGroups, downstream)}`,
      recomputeAtMillis: better && nowMillis + HOLD_MILLIS,
    };
  };
  if (!current) return take(goal, "first paths", null);
  const lost = current.bucketGroups.filter((tag) => !used.some((candidate) => candidate.tag === tag));
  if (lost.length > 0) {
    const reason = candidates.some(({ tag }) => tag === lost[0])
      ? `a next hop in use is no longer closer to the destination than this node (${costText(ownCostMicros)})`
      : "a link in use was lost";
    return take(used.length > 0 ? assign(current.bucketGroups, used) : goal, reason, current.urgentChangeAtMillis);
  }
  if (isSame(goal, current.bucketGroups)) {
    return { spread: { ...current, minCosts, better: null }, reason: null, recomputeAtMillis: null };
  }
  const mayChangeAtOnce =
    current.urgentChangeAtMillis === null || nowMillis - current.urgentChangeAtMillis >= URGENT_CHANGE_INTERVAL_MILLIS;
  if (worse && mayChangeAtOnce) {
    const before = costText(minCosts.get(worse.tag) ?? worse.costMicros);
    return take(goal, `a path in use got worse (best ${before}, now ${costText(worse.costMicros)})`, nowMillis);
  }
  const since = current.better && isSame(current.better.bucketGroups, goal) ? current.better.sinceMillis : nowMillis;
  if (nowMillis - since >= HOLD_MILLIS)
    return take(goal, `better for ${HOLD_MILLIS / 1000} s`, current.urgentChangeAtMillis);
  return {
    spread: { ...current, minCosts, better: { bucketGroups: goal, sinceMillis: since } },
    reason: null,
    recomputeAtMillis: since + HOLD_MILLIS,
  };
}

/** In proportion to capacity (largest remainders), with as few bucket groups moved as possible. */
export function assign(bucketGroups: readonly string[], candidates: readonly Candidate[]): readonly string[] {
  const total = candidates.reduce((sum, { kbps }) => sum + kbps, 0);
  const exact = candidates.map(({ tag, kbps }) => ({ tag, share: (BUCKET_GROUPS.bulk * kbps) / total }));
  const left = new Map(exact.map(({ tag, share }) => [tag, Math.floor(share)]));
  const rest = BUCKET_GROUPS.bulk - [...left.values()].reduce((sum, count) => sum + count, 0);
  const byRemainder = exact.toSorted((a, b) => (b.share % 1) - (a.share % 1) || (a.tag < b.tag ? -1 : 1));
  for (const { tag } of byRemainder.slice(0, rest)) left.set(tag, (left.get(tag) ?? 0) + 1);
  const draw = (tag: string | undefined): string | null => {
    const count = tag === undefined ? 0 : (left.get(tag) ?? 0);
    if (tag === undefined || count === 0) return null;
    left.set(tag, count - 1);
    return tag;
  };
  const kept = Array.from({ length: BUCKET_GROUPS.bulk }, (_, group) => draw(bucketGroups[group]));
  return kept.map((tag) => tag ?? draw([...left].find(([, count]) => count > 0)?.[0]) ?? "");
}

/** Links in use stay, unless an unused one is significantly cheaper. */
function wantedOf(downstream: readonly Candidate[], used: readonly Candidate[]): readonly Candidate[] {
  const wanted = used.slice(0, MAX_LINKS);
  for (const candidate of downstream.filter((each) => !used.includes(each))) {
    const worst = wanted.at(-1);
    if (wanted.length < MAX_LINKS) wanted.push(candidate);
    else if (worst && isSignificantGain(candidate.costMicros, worst.costMicros)) wanted[wanted.length - 1] = candidate;
    wanted.sort(bySooner);
  }
  return wanted;
}

function costsOf(
  bucketGroups: readonly string[],
  candidates: readonly Candidate[],
  least: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const inUse = candidates.filter(({ tag }) => bucketGroups.includes(tag));
  // A path that got significantly worse is compared with its new cost from here on.
  return new Map(
    inUse.map(({ tag, costMicros }) => {
      const before = least.get(tag) ?? costMicros;
      return [tag, isSignificantGain(before, costMicros) ? costMicros : before];
    }),
  );
}

function spreadText(bucketGroups: readonly string[], candidates: readonly Candidate[]): string {
  const inUse = candidates.filter(({ tag }) => bucketGroups.includes(tag));
  return inUse
    .map(({ tag, neighbour, costMicros, kbps }) => {
      const count = bucketGroups.filter((each) => each === tag).length;
      return `${count}/${BUCKET_GROUPS.bulk} via ${neighbour} (${costText(costMicros)}, ${Math.round(kbps / 1000)} Mbit/s)`;
    })
    .join(", ");
}

const bySooner = (a: Candidate, b: Candidate): number => (isBefore(a, b) ? -1 : 1);

/** Whether both lists have the same elements in the same order. */
export const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((tag, group) => tag === b[group]);
