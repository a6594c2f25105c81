/**
 * On the last day of a week an agent whose policy boosts bids registers its region for the next week's priority budget.
 * Anybody may register a region; once is enough.
 */
import { isLastDayOfWeek, weekOf } from "../auction/calendar.ts";
import { leaseEscrowAbi } from "../chain/abi/lease-escrow.ts";
import { unlessRefused } from "../chain/refusals.ts";
import type { Config } from "../config.ts";
import { describeError } from "../model/errors.ts";
import { chainNow, type Site } from "./site.ts";

const LOOK_MILLIS = 60_000;

export class BudgetRegistration {
  readonly #site: Site;
  #nextMillis = 0;

  constructor(site: Site) {
    this.#site = site;
  }

  /** Looks once a minute; a failure is logged, and tried again. */
  run(nowMillis: number): void {
    if (nowMillis < this.#nextMillis) return;
    this.#nextMillis = nowMillis + LOOK_MILLIS;
    const { log, signal } = this.#site;
    registerBudget(this.#site).catch((error: unknown) => {
      if (!signal.aborted) log.warn(`next week's priority budget: ${describeError(error)}`);
    });
  }
}

/** Whether next week's budget is due: on the last day of a week, if any policy boosts. */
export function shouldRegister(buy: Config["buy"], nowSeconds: number): boolean {
  return isLastDayOfWeek(nowSeconds) && Object.values(buy).some((policy) => policy.boost > 0);
}

async function registerBudget(site: Site): Promise<void> {
  const now = chainNow(site);
  if (!shouldRegister(site.config.buy, now)) return;
  const call = {
    address: site.deployment.escrow,
    abi: leaseEscrowAbi,
    functionName: "registerBudget",
    args: [site.self],
  };
  const purpose = `register-budget:${weekOf(now) + 1}`;
  await unlessRefused(site.sender.send(purpose, call, site.signal), "AlreadyRegistered");
}
