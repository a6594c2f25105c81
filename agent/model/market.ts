/** Numbers that the contracts and every agent share (MARKET.md, sections 1 to 4). */

export const DAY_SECONDS = 86_400;
/** A lease's term is counted in slots. */
export const SLOT_SECONDS = 60;
export const MIN_TERM_SLOTS = 5;
export const MAX_TERM_SLOTS = 65_535;
export const MIN_TERM_SECONDS = MIN_TERM_SLOTS * SLOT_SECONDS;
/** The longest term that an agent asks for: a week. */
export const MAX_TERM_SECONDS = 7 * DAY_SECONDS;
/** Receipts and metering count in epochs. */
export const EPOCH_SECONDS = 10;
/** A probe that the peer does not acknowledge within this time is lost. */
export const PROBE_LOST_SECONDS = 2;
/** Length of an auction's phases, in the order of the contracts' enum. */
export const PROFILES = ["urgent", "normal"] as const;
export type Profile = (typeof PROFILES)[number];
/** A lease starts this long after its auction was cleared. */
export const LEASE_LEAD_SECONDS = 10;
/** What the two sides cannot agree on within this time after a lease's end is settled with the evidence that exists. */
export const GRACE_SECONDS = 30;
/** Prices in a policy are for this many Mbit/s and one slot. */
export const PRICED_MBPS = 100;
/** Basis points in one. */
export const BPS = 10_000;
/** The highest boost of a bid, with the highest score. */
export const MAX_BOOST_BPS = 2_500;
export const MAX_SCORE = 1_000;
