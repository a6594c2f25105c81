/** The product's rule and three others behind one interface: settle leases, then give a score from 0 to 1. */
import { type Credit, NO_CREDIT, ONE, SCORE_SCALE, scoreAt, settleCredit } from "../../agent/reputation/rule.ts";

export interface Settled {
  readonly seller: number;
  readonly buyer: number;
  /** Size of the lease, in reference leases. */
  readonly delivered: number;
  readonly failed: number;
  /** Bond of the buyer, as a share of a full bond. */
  readonly bond: number;
  readonly day: number;
}

export interface Rule {
  readonly name: string;
  settle(lease: Settled): void;
  /** Scores of all regions at the beginning of a day. */
  scores(regions: number, day: number): number[];
}

export const RULES: readonly (() => Rule)[] = [betaMean, reliabilityTimesVolume, eigenTrust, productRule];

const HALF_LIFE_DAYS = 14;
const FULL_BOND = 1_000_000n;

export function productRule(): Rule {
  const sellers = new Map<number, Credit>();
  const pairs = new Map<number, Credit>();
  const micro = (leases: number) => BigInt(Math.round(leases * Number(ONE)));
  return {
    name: "this rule",
    settle({ seller, buyer, delivered, failed, bond, day }) {
      const key = seller * 100_000 + buyer;
      const lease = {
        delivered: micro(delivered),
        failed: micro(failed),
        buyerBond: BigInt(Math.round(bond * Number(FULL_BOND))),
        day,
      };
      const after = settleCredit(sellers.get(seller) ?? NO_CREDIT, pairs.get(key) ?? NO_CREDIT, lease, FULL_BOND);
      sellers.set(seller, after.seller);
      pairs.set(key, after.pair);
    },
    scores: (regions, day) =>
      Array.from({ length: regions }, (_, id) => scoreAt(sellers.get(id) ?? NO_CREDIT, day) / Number(SCORE_SCALE)),
  };
}

/** Mean of the Beta distribution over decayed credit: what many markets use. */
export function betaMean(): Rule {
  const sums = new Faded();
  return {
    name: "Beta mean",
    settle: ({ seller, delivered, failed, day }) => sums.add(seller, delivered, failed, day),
    scores: (regions, day) =>
      Array.from({ length: regions }, (_, id) => {
        const { delivered, failed } = sums.of(id, day);
        return (delivered + 1) / (delivered + failed + 2);
      }),
  };
}

export function reliabilityTimesVolume(): Rule {
  const sums = new Faded();
  const full = Math.log(1 + 20);
  return {
    name: "reliability × log volume",
    settle: ({ seller, delivered, failed, day }) => sums.add(seller, delivered, failed, day),
    scores: (regions, day) =>
      Array.from({ length: regions }, (_, id) => {
        const { delivered, failed } = sums.of(id, day);
        return delivered === 0
          ? 0
          : (delivered / (delivered + failed)) * Math.min(1, Math.log(1 + delivered + failed) / full);
      }),
  };
}

/** Kamvar, Schlosser, Garcia-Molina 2003: a random walk over local trust, with a few pre-trusted regions. */
export function eigenTrust(): Rule {
  const pairs = new Map<number, Faded>();
  const [restart, rounds, trusted] = [0.15, 25, [0, 1, 2]];
  return {
    name: "EigenTrust",
    settle({ seller, buyer, delivered, failed, day }) {
      const of = pairs.get(buyer) ?? new Faded();
      of.add(seller, delivered, failed, day);
      pairs.set(buyer, of);
    },
    scores(regions, day) {
      const before = new Array<number>(regions).fill(0);
      for (const id of trusted) before[id] = 1 / trusted.length;
      const local = Array.from({ length: regions }, (_, buyer) => {
        const of = pairs.get(buyer);
        const good = of?.sellers.map(
          (id) => [id, Math.max(0, of.of(id, day).delivered - of.of(id, day).failed)] as const,
        );
        const sum = good?.reduce((total, [, weight]) => total + weight, 0) ?? 0;
        return sum > 0 ? good!.map(([id, weight]) => [id, weight / sum] as const) : null;
      });
      let trust = before;
      for (let round = 0; round < rounds; round++) {
        const next = before.map((share) => restart * share);
        for (const [buyer, weights] of local.entries()) {
          const given = (1 - restart) * trust[buyer]!;
          if (given === 0) continue;
          if (weights) for (const [id, weight] of weights) next[id]! += given * weight;
          else for (const id of trusted) next[id]! += given / trusted.length;
        }
        trust = next;
      }
      const most = Math.max(...trust);
      return trust.map((share) => share / most);
    },
  };
}

/** Sums of delivered and failed that halve every 14 days. */
class Faded {
  readonly #of = new Map<number, { delivered: number; failed: number; day: number }>();

  get sellers(): number[] {
    return [...this.#of.keys()];
  }

  add(id: number, delivered: number, failed: number, day: number): void {
    const now = this.of(id, day);
    this.#of.set(id, { delivered: now.delivered + delivered, failed: now.failed + failed, day });
  }

  of(id: number, day: number): { delivered: number; failed: number } {
    const kept = this.#of.get(id);
    if (!kept) return { delivered: 0, failed: 0 };
    const left = 2 ** -((day - kept.day) / HALF_LIFE_DAYS);
    return { delivered: kept.delivered * left, failed: kept.failed * left };
  }
}
