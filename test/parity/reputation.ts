/** Files of the form `{constants, histories: [{steps}]}`; the decay factors are called `fade` in them. */
import {
  type Credit,
  DECAY_FACTOR,
  FAILURE_WEIGHT,
  HALF_LIFE_DAYS,
  NO_CREDIT,
  ONE,
  PAIR_CAP,
  RAMP,
  SCORE_SCALE,
  scoreAt,
  settleCredit,
} from "../../agent/reputation/rule.ts";
import { compareFigures } from "./figures.ts";
import type { Call } from "./harness.ts";

interface Step {
  readonly day: number;
  readonly buyer: number;
  readonly delivered: string;
  readonly failed: string;
  readonly buyerBond: string;
  readonly after: Record<string, unknown>;
}

export interface ReputationFile {
  readonly constants: Record<string, unknown> & { readonly fullBond: string; readonly fade?: readonly string[] };
  readonly histories: readonly { readonly seed: number; readonly steps: readonly Step[] }[];
}

export function isReputationFile(file: unknown): file is ReputationFile {
  const { histories, constants } = (file ?? {}) as Partial<ReputationFile>;
  return (
    constants?.fullBond !== undefined &&
    Array.isArray(histories) &&
    histories.length > 0 &&
    histories.every((h) => Array.isArray(h.steps) && h.steps.length > 0)
  );
}

export function reputationInTypeScript(file: ReputationFile): number {
  const fullBond = BigInt(file.constants.fullBond);
  const ours = {
    one: ONE,
    halfLifeDays: HALF_LIFE_DAYS,
    ramp: RAMP,
    pairCap: PAIR_CAP,
    failureWeight: FAILURE_WEIGHT,
    fullBond,
    scoreScale: SCORE_SCALE,
    fade: DECAY_FACTOR,
  };
  let count = compareFigures(file.constants, ours, "TypeScript: constants");
  for (const { seed, steps } of file.histories) {
    let seller: Credit = NO_CREDIT;
    const pairs = new Map<number, Credit>();
    for (const [i, { day, buyer, after, ...step }] of steps.entries()) {
      const lease = {
        delivered: BigInt(step.delivered),
        failed: BigInt(step.failed),
        buyerBond: BigInt(step.buyerBond),
        day,
      };
      const settled = settleCredit(seller, pairs.get(buyer) ?? NO_CREDIT, lease, fullBond);
      seller = settled.seller;
      pairs.set(buyer, settled.pair);
      const found = {
        sellerDelivered: seller.delivered,
        sellerFailed: seller.failed,
        pairDelivered: settled.pair.delivered,
        pairFailed: settled.pair.failed,
        score: scoreAt(seller, day),
        scoreAfter10Days: scoreAt(seller, day + 10),
        scoreAfter100Days: scoreAt(seller, day + 100),
      };
      count += compareFigures(after, found, `TypeScript: seed ${seed}, step ${i}`);
    }
  }
  return count;
}

export async function reputationInSolidity(file: ReputationFile, call: Call): Promise<number> {
  const [one, halfLifeDays, ramp, pairCap, failureWeight, scoreScale] = await call<readonly bigint[]>(
    "reputationConstants",
    [],
  );
  const fade = await Promise.all((file.constants.fade ?? []).map((_, days) => call<bigint>("decayFactor", [days])));
  const ours = {
    one,
    halfLifeDays,
    ramp,
    pairCap,
    failureWeight,
    fullBond: file.constants.fullBond,
    scoreScale,
    fade,
  };
  let count = compareFigures(file.constants, ours, "Solidity: constants");
  for (const { seed, steps } of file.histories) {
    const buyers = Math.max(...steps.map(({ buyer }) => buyer)) + 1;
    const results = await call<readonly Record<string, unknown>[]>("replay", [steps, buyers, file.constants.fullBond]);
    count += compareFigures(
      steps.map(({ after }) => after),
      results,
      `Solidity: seed ${seed}, step `,
    );
  }
  return count;
}
