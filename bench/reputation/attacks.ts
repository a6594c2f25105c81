/** Attacks, each in a market of a hundred regions, with the figure that shows its effect. */
import { DAYS, type Day, LEASES_A_DAY, market, seeded, type Trader } from "./market.ts";
import { areaUnderCurve, fairness, mean, rankCorrelation } from "./measures.ts";
import type { Rule, Settled } from "./rules.ts";

export type Figures = Readonly<Record<string, number>>;
export type MakeRule = () => Rule;

const REGIONS = 100;
const [GOOD, MEDIUM, BAD] = [0.98, 0.85, 0.5];
/** The first sixty are good, the next twenty-five medium, the rest bad. */
const honest = (id: number): number => (id < 60 ? GOOD : id < 85 ? MEDIUM : BAD);
/** Attackers replace good regions, except those that EigenTrust trusts. */
const FIRST = 10;
const TURN = 30;

/** Names of figures, with what computes them for one rule and seed. */
export const SCENARIOS: readonly ((make: MakeRule, seed: number) => Figures)[] = [
  base,
  milking,
  onOff,
  whitewash,
  ring,
  clique,
  stuffing,
  slander,
  selective,
  newcomer,
];

export function world(change: (id: number) => Partial<Trader> = () => ({}), extra = 0): Trader[] {
  return Array.from({ length: REGIONS + extra }, (_, id) => ({ quality: () => honest(id), ...change(id) }));
}

function base(make: MakeRule, seed: number): Figures {
  const days = market(make(), world(), seeded(seed));
  const scores = days.at(-1)!.scores.slice(0, REGIONS);
  const qualities = scores.map((_, id) => honest(id));
  const traffic = leasesOf(days);
  return {
    "rank correlation with true quality": rankCorrelation(scores, qualities),
    "AUC, good against medium": areaUnderCurve(scores.slice(0, 60), scores.slice(60, 85)),
    "fairness among good sellers (Jain)": fairness(traffic.slice(0, 60)),
    "traffic that reaches the worst tenth": (mean(traffic.slice(90)) * 10) / (DAYS * LEASES_A_DAY),
  };
}

/** Serves well for a month, then fails leases. */
function milking(make: MakeRule, seed: number): Figures {
  const attackers = range(FIRST, 5);
  const quality = (_: number, day: number) => (day < TURN ? GOOD : 0.2);
  const days = market(
    make(),
    world((id) => (attackers.includes(id) ? { quality } : {})),
    seeded(seed),
  );
  const until = attackers.map((id) => {
    const half = days[TURN]!.scores[id]! / 2;
    const found = days.find(({ day, scores }) => day > TURN && scores[id]! <= half);
    const before = days.filter(({ day }) => day >= TURN && day < (found?.day ?? DAYS));
    return { leases: leasesOf(before)[id]!, undetected: found ? 0 : 1 };
  });
  return {
    "milking: leases until its score halves": mean(until.map(({ leases }) => leases)),
    "milking: undetected in 30 days": mean(until.map(({ undetected }) => undetected)),
  };
}

/** Five days well, five days badly. */
function onOff(make: MakeRule, seed: number): Figures {
  const attackers = range(FIRST, 5);
  const quality = (_: number, day: number) => (Math.floor(day / 5) % 2 === 0 ? GOOD : 0.2);
  const days = market(
    make(),
    world((id) => (attackers.includes(id) ? { quality } : {})),
    seeded(seed),
  );
  return { "on-off: score against a good seller's": againstGood(days, attackers) };
}

/** Serves badly, and comes back under a new name every ten days; an old name serves nobody. */
function whitewash(make: MakeRule, seed: number): Figures {
  const names = DAYS / 10;
  const traders = world((id) => {
    const name = id - REGIONS;
    return name < 0 ? {} : { joins: 10 * name, quality: (_, day) => (day < 10 * (name + 1) ? 0.3 : 0) };
  }, names);
  const days = market(make(), traders, seeded(seed));
  const gains = range(1, names - 1).map((name) => {
    const { scores } = days[10 * name]!;
    return Math.max(0, scores[REGIONS + name]! - scores[REGIONS + name - 1]!);
  });
  return { "whitewash: most gained by leaving and rejoining": Math.max(...gains) };
}

/** Twenty names that only pay one another; together they have two full bonds. */
function ring(make: MakeRule, seed: number): Figures {
  const members = range(REGIONS, 20);
  const traders = world((id) => (id < REGIONS ? {} : { idle: true }), 20);
  const fakes = (day: number) =>
    members.flatMap((seller) =>
      [1, 2, 3].map((step) => fake(seller, REGIONS + ((seller - REGIONS + step) % 20), day, 0.1)),
    );
  const days = market(make(), traders, seeded(seed), fakes);
  return { "ring of 20 that pays itself, bonds of two: score against a good seller's": againstGood(days, members) };
}

/** Five real regions of poor quality, each with a full bond, trade fake leases in every pair. */
function clique(make: MakeRule, seed: number): Figures {
  return { "clique of 5 real regions, true quality .4: score": cartel(make, seed, 5) };
}

function stuffing(make: MakeRule, seed: number): Figures {
  return { "two who stuff each other, true quality .4: score": cartel(make, seed, 2) };
}

function cartel(make: MakeRule, seed: number, size: number): number {
  const members = range(FIRST, size);
  const traders = world((id) => (members.includes(id) ? { quality: () => 0.4 } : {}));
  const fakes = (day: number) =>
    members.flatMap((seller) =>
      members.filter((buyer) => buyer !== seller).map((buyer) => fake(seller, buyer, day, 1)),
    );
  return againstGood(market(make(), traders, seeded(seed), fakes), members);
}

/** Ten buyers break off every lease at its start: what is left of a good seller's score. */
function slander(make: MakeRule, seed: number): Figures {
  const liars = range(FIRST, 10);
  const good = range(30, 30);
  const plain = market(make(), world(), seeded(seed)).at(-1)!.scores;
  const lied = market(
    make(),
    world((id) => ({ slanders: liars.includes(id) })),
    seeded(seed),
  ).at(-1)!.scores;
  return {
    "slander by a tenth of the buyers: score that is left":
      mean(good.map((id) => lied[id]!)) / mean(good.map((id) => plain[id]!)),
  };
}

/** Serves one half of the buyers well and the other badly: 1 is the score of a region that serves all buyers with the mean quality. */
function selective(make: MakeRule, seed: number): Figures {
  const attackers = range(FIRST, 5);
  const split = market(
    make(),
    world((id) => (attackers.includes(id) ? { quality: (buyer) => (buyer % 2 === 0 ? GOOD : 0.3) } : {})),
    seeded(seed),
  );
  const even = market(
    make(),
    world((id) => (attackers.includes(id) ? { quality: () => (GOOD + 0.3) / 2 } : {})),
    seeded(seed),
  );
  const last = (days: readonly Day[]) => mean(attackers.map((id) => days.at(-1)!.scores[id]!));
  return { "selective service: score against one that serves all alike": last(split) / last(even) };
}

/** A good region that joins after twenty days, asking a twentieth less. */
function newcomer(make: MakeRule, seed: number): Figures {
  const joins = 20;
  const fresh = range(FIRST, 5);
  const days = market(
    make(),
    world((id) => (fresh.includes(id) ? { joins, ask: 0.95 } : {})),
    seeded(seed),
  );
  const incumbents = range(30, 30);
  const waited = fresh.map((id) => {
    for (let day = joins + 2; day < DAYS; day++) {
      const window = leasesOf(days.filter((d) => d.day > day - 3 && d.day <= day));
      if (window[id]! >= mean(incumbents.map((other) => window[other]!)) / 2) return day - joins;
    }
    return DAYS - joins;
  });
  return { "newcomer, asking 5 % less: days to half of an incumbent's rate": mean(waited) };
}

/** Mean score of the last month. */
export function againstGood(days: readonly Day[], attackers: readonly number[]): number {
  const good = range(30, 30);
  const last = days.slice(-20);
  const of = (ids: readonly number[]) => mean(last.map(({ scores }) => mean(ids.map((id) => scores[id]!))));
  return of(attackers) / of(good);
}

export function leasesOf(days: readonly Day[]): number[] {
  const counts: number[] = [];
  for (const { leases, scores } of days) {
    while (counts.length < scores.length) counts.push(0);
    for (const { seller } of leases) counts[seller]!++;
  }
  return counts;
}

export function fake(seller: number, buyer: number, day: number, bond: number): Settled {
  return { seller, buyer, day, bond, delivered: 1, failed: 0 };
}

export function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}
