/**
 * An adversary that looks for the best deviation: a region that may fail leases in order to sell their capacity a second
 * time at 1.5 times the price, and knows its own score. It pays a fifth of a failed lease's price from its bond. Honest
 * service earns the ask. The earnings of the best policy found are given relative to those of the honest region with the
 * best ask.
 */
import { fake, leasesOf, type MakeRule, range, world } from "./attacks.ts";
import { type Day, market, seeded } from "./market.ts";
import { mean } from "./measures.ts";

export interface Policy {
  /** Fails leases once its score is above `high`, until it is below `low`. */
  readonly high: number;
  readonly low: number;
  /** Share of a lease that it delivers while it fails leases. */
  readonly quality: number;
  readonly ask: number;
  /** Real regions with full bonds that take part, and fake leases a week with each of them. */
  readonly friends: number;
}

const HONEST: Policy = { high: 2, low: 2, quality: 0.98, ask: 1, friends: 0 };
const ASKS = [0.85, 0.9, 0.95, 1];
const SECOND_SALE = 1.5;
const SLASH = 0.2;
/** What a fake lease costs: its credit fee, as a part of the price. */
const FAKE_COST = 0.05;
const SELF = 10;
const FRIENDS = range(11, 4);

/** Earnings in sixty days. */
export function earned(make: MakeRule, policy: Policy, seed: number): number {
  let failing = false;
  const quality = (_: number, __: number, score: number) => {
    if (score > policy.high) failing = true;
    if (score < policy.low) failing = false;
    return failing ? policy.quality : 0.98;
  };
  const friends = FRIENDS.slice(0, policy.friends);
  const fakes = (day: number) => (day % 7 === 0 ? friends.map((friend) => fake(SELF, friend, day, 1)) : []);
  const days = market(
    make(),
    world((id) => (id === SELF ? { quality, ask: policy.ask } : {})),
    seeded(seed),
    fakes,
  );
  return income(days, policy.ask) - FAKE_COST * friends.length * Math.ceil(days.length / 7);
}

/** The policy with the best mean over the seeds, among random ones and some that a person would try. */
export function bestPolicy(make: MakeRule, seeds: readonly number[], tries: number): { policy: Policy; gain: number } {
  const random = seeded(4_711);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const drawn = range(0, tries).map((): Policy => {
    const high = pick([0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9]);
    const [quality, ask] = [pick([0, 0.3, 0.6, 0.8, 0.9]), pick(ASKS)];
    return { high, low: high * pick([0.5, 0.7, 0.9, 1]), quality, ask, friends: pick([0, 0, 2, 4]) };
  });
  const honest = Math.max(...ASKS.map((ask) => mean(seeds.map((seed) => earned(make, { ...HONEST, ask }, seed)))));
  const [first] = seeds as [number, ...number[]];
  const promising = drawn
    .map((policy) => ({ policy, earns: earned(make, policy, first) }))
    .sort((a, b) => b.earns - a.earns)
    .slice(0, 3)
    .map(({ policy }) => ({ policy, gain: mean(seeds.map((seed) => earned(make, policy, seed))) / honest }));
  return promising.reduce((best, next) => (next.gain > best.gain ? next : best));
}

function income(days: readonly Day[], ask: number): number {
  if (leasesOf(days)[SELF] === 0) return 0;
  return days
    .flatMap(({ leases }) => leases.filter(({ seller }) => seller === SELF))
    .reduce((sum, { delivered, failed }) => sum + ask * delivered + (SECOND_SALE - SLASH * ask) * failed, 0);
}
