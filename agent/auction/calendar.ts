/** Days and weeks as the contracts count them: UTC, weeks from Monday (MARKET.md, section 3). Pure. */
import { DAY_SECONDS } from "../model/market.ts";

export function dayOf(seconds: number): number {
  return Math.floor(seconds / DAY_SECONDS);
}

export function weekOf(seconds: number): number {
  return Math.floor((dayOf(seconds) + 3) / 7);
}

/** The day on which a region registers for the next week's priority budgets. */
export function isLastDayOfWeek(seconds: number): boolean {
  return (dayOf(seconds) + 3) % 7 === 6;
}
