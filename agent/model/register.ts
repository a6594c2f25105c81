/**
 * The state of the contracts that an agent reads besides their events: at its start and at each change. It is stored, so
 * that an agent that starts while no node answers still knows the regions of its leases.
 */
import type { RegionId } from "./ids.ts";
import type { Region } from "./region.ts";

/** The registered regions and fabrics, and the constants of the contracts. */
export interface Register {
  readonly self: RegionId;
  readonly constants: ChainConstants;
  readonly regions: ReadonlyMap<RegionId, Region>;
  /** Names by fabric number. */
  readonly fabrics: readonly string[];
}

/** Constants of the contracts that an agent needs. */
export interface ChainConstants {
  readonly clearBlocks: number;
  readonly minBond: bigint;
  readonly maxCosine: number;
  /** Blocks of a commit or reveal phase, by profile. */
  readonly urgentBlocks: number;
  readonly normalBlocks: number;
}
