/**
 * What the contracts say besides their events. Read at the start and whenever it changes, and kept, so that an agent
 * which starts while no node answers still knows whom its leases are with.
 */
import type { RegionId } from "./ids.ts";
import type { Region } from "./region.ts";

export interface Register {
  readonly self: RegionId;
  readonly constants: ChainConstants;
  readonly regions: ReadonlyMap<RegionId, Region>;
  /** By their number. */
  readonly fabrics: readonly string[];
}

export interface ChainConstants {
  readonly clearBlocks: number;
  readonly minBond: bigint;
  readonly maxCosine: number;
  /** Blocks of a commit or reveal phase, by profile. */
  readonly urgentBlocks: number;
  readonly normalBlocks: number;
}
