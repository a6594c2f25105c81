/** Days and weeks as the contracts count them: UTC, weeks start on Monday (MARKET.md, section 3). Pure. */
import { DAY_SECONDS } from "../model/market.ts";

/** Days since 1970. @param seconds Unix time. */
export function dayOf(seconds: number): number {
  return Math.floor(seconds / DAY_SECONDS);
}

/** Weeks since Monday, 29 December 1969. @param seconds Unix time. */
export function weekOf(seconds: number): number {
  return Math.floor((dayOf(seconds) + 3) / 7);
}

/** Sunday: regions register for the next week's priority budgets. @param seconds Unix time. */
export function isLastDayOfWeek(seconds: number): boolean {
  return (dayOf(seconds) + 3) % 7 === 6;
}
