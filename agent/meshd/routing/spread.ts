/**
 * How bulk traffic spreads over up to three next hops in proportion to capacity. Flows are hashed into buckets, and
 * runs of buckets are planes: a plane is what turns. A plane keeps its link while that is up and leads downstream, and
 * leaves it at once when not; any other change must hold for 1 s, like a better path of a single one.
 */
import { PLANES } from "../kernel/marks.ts";
import { CALM_AFTER_FLIGHT_MILLIS, type Candidate, costText, HOLD_MILLIS, isBefore, isWorthIt } from "./choice.ts";

export interface Spread {
  /** Tag of the link of each plane. */
  readonly planes: readonly string[];
  /** The least that each link's way cost while in use. */
  readonly minCosts: ReadonlyMap<string, number>;
  readonly better: { readonly planes: readonly string[]; readonly sinceMillis: number } | null;
  readonly fledAtMillis: number | null;
}

export interface SpreadDecision {
  readonly spread: Spread | null;
  /** Null: nothing changed. */
  readonly reason: string | null;
  readonly lookAgainMillis: number | null;
}

const MAX_LINKS = 3;

export function decideSpread(
  current: Spread | null,
  candidates: readonly Candidate[],
  ownCostMicros: number,
  nowMillis: number,
): SpreadDecision {
  const downstream = candidates.filter(({ onwardMicros }) => onwardMicros < ownCostMicros).sort(bySooner);
  if (downstream.length === 0) {
    return { spread: null, reason: current ? "no path in the mesh is left" : null, lookAgainMillis: null };
  }
  const using = new Set(current?.planes);
  const used = downstream.filter(({ tag }) => using.has(tag));
  const minCosts = new Map(
    used.map(({ tag, costMicros }) => [tag, Math.min(current?.minCosts.get(tag) ?? costMicros, costMicros)]),
  );
  const worse = used.find(({ tag, costMicros }) => isWorthIt(minCosts.get(tag) ?? costMicros, costMicros));
  const wanted = wantedOf(downstream, used);
  const goal = assign(current?.planes ?? [], wanted);
  const take = (planes: readonly string[], reason: string, fledAtMillis: number | null): SpreadDecision => {
    // What a hurried turn leaves to be wished for is held like any other wish: nobody else may ask for another look.
    const usedNow = downstream.filter(({ tag }) => planes.includes(tag));
    const rest = assign(planes, wantedOf(downstream, usedNow));
    const better = isSame(rest, planes) ? null : { planes: rest, sinceMillis: nowMillis };
    return {
      spread: { planes, minCosts: costsOf(planes, downstream, minCosts), better, fledAtMillis },
      reason: `${reason}; ${spreadText(planes, downstream)}`,
      lookAgainMillis: better && nowMillis + HOLD_MILLIS,
    };
  };
  if (!current) return take(goal, "first paths", null);
  const lost = current.planes.filter((tag) => !used.some((candidate) => candidate.tag === tag));
  if (lost.length > 0) {
    const reason = candidates.some(({ tag }) => tag === lost[0])
      ? `a link in use no longer leads downstream from ${costText(ownCostMicros)}`
      : "a link in use went away";
    return take(used.length > 0 ? assign(current.planes, used) : goal, reason, current.fledAtMillis);
  }
  if (isSame(goal, current.planes)) {
    return { spread: { ...current, minCosts, better: null }, reason: null, lookAgainMillis: null };
  }
  const isCalm = current.fledAtMillis === null || nowMillis - current.fledAtMillis >= CALM_AFTER_FLIGHT_MILLIS;
  if (worse && isCalm) {
    const before = costText(minCosts.get(worse.tag) ?? worse.costMicros);
    return take(goal, `a path in use got worse (${before}, now ${costText(worse.costMicros)})`, nowMillis);
  }
  const since = current.better && isSame(current.better.planes, goal) ? current.better.sinceMillis : nowMillis;
  if (nowMillis - since >= HOLD_MILLIS) return take(goal, `better for ${HOLD_MILLIS} ms`, current.fledAtMillis);
  return {
    spread: { ...current, minCosts, better: { planes: goal, sinceMillis: since } },
    reason: null,
    lookAgainMillis: since + HOLD_MILLIS,
  };
}

/** In proportion to capacity (largest remainders), with as few planes turned as that allows. */
export function assign(planes: readonly string[], candidates: readonly Candidate[]): readonly string[] {
  const total = candidates.reduce((sum, { kbps }) => sum + kbps, 0);
  const exact = candidates.map(({ tag, kbps }) => ({ tag, share: (PLANES.bulk * kbps) / total }));
  const left = new Map(exact.map(({ tag, share }) => [tag, Math.floor(share)]));
  const rest = PLANES.bulk - [...left.values()].reduce((sum, count) => sum + count, 0);
  const byRemainder = exact.toSorted((a, b) => (b.share % 1) - (a.share % 1) || (a.tag < b.tag ? -1 : 1));
  for (const { tag } of byRemainder.slice(0, rest)) left.set(tag, (left.get(tag) ?? 0) + 1);
  const draw = (tag: string | undefined): string | null => {
    const count = tag === undefined ? 0 : (left.get(tag) ?? 0);
    if (tag === undefined || count === 0) return null;
    left.set(tag, count - 1);
    return tag;
  };
  const kept = Array.from({ length: PLANES.bulk }, (_, plane) => draw(planes[plane]));
  return kept.map((tag) => tag ?? draw([...left].find(([, count]) => count > 0)?.[0]) ?? "");
}

/** Those in use stay, unless one not in use is worth the change. */
function wantedOf(downstream: readonly Candidate[], used: readonly Candidate[]): readonly Candidate[] {
  const wanted = used.slice(0, MAX_LINKS);
  for (const candidate of downstream.filter((each) => !used.includes(each))) {
    const worst = wanted.at(-1);
    if (wanted.length < MAX_LINKS) wanted.push(candidate);
    else if (worst && isWorthIt(candidate.costMicros, worst.costMicros)) wanted[wanted.length - 1] = candidate;
    wanted.sort(bySooner);
  }
  return wanted;
}

function costsOf(
  planes: readonly string[],
  candidates: readonly Candidate[],
  least: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const inUse = candidates.filter(({ tag }) => planes.includes(tag));
  // A path that stays in use at a good price keeps its measure; one that got worse is measured anew.
  return new Map(
    inUse.map(({ tag, costMicros }) => {
      const before = least.get(tag) ?? costMicros;
      return [tag, isWorthIt(before, costMicros) ? costMicros : before];
    }),
  );
}

function spreadText(planes: readonly string[], candidates: readonly Candidate[]): string {
  const inUse = candidates.filter(({ tag }) => planes.includes(tag));
  return inUse
    .map(({ tag, neighbour, costMicros, kbps }) => {
      const count = planes.filter((each) => each === tag).length;
      return `${count}/${PLANES.bulk} by ${neighbour} (${costText(costMicros)}, ${Math.round(kbps / 1000)} Mbit/s)`;
    })
    .join(", ");
}

const bySooner = (a: Candidate, b: Candidate): number => (isBefore(a, b) ? -1 : 1);

export const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((tag, plane) => tag === b[plane]);
