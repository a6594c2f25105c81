/** The terms of an auction to open, from the policy and from what was measured. Pure. */
import type { BuyPolicy, Config } from "../config.ts";
import { EphemeshError } from "../model/errors.ts";
import { EVENT_KINDS, type EventKind } from "../model/event.ts";
import { MAX_TERM_SLOTS, MIN_TERM_SLOTS, PROFILES, SLOT_SECONDS } from "../model/market.ts";
import { attributeBits, EARTH_RADIUS_KM } from "../model/region.ts";
import type { ChainConstants } from "../model/register.ts";
import { chooseFabric, type FabricCandidate, type FabricChoice } from "./fabric-choice.ts";
import { lotFor, priceCapFor } from "./strategy.ts";

/** A cell is a little wider than its farthest peer, whose place is rounded on chain. */
const CELL_MARGIN = 1.02;

/** The struct that `CapacityAuction.open` takes. */
export interface ContractTerms {
  readonly kind: number;
  /** An earlier auction of the same mesh; 0: the first one. */
  readonly earlier: number;
  /** Number in the register. */
  readonly fabric: number;
  /** Of the cell's radius at the earth's centre, scaled by 10^9. */
  readonly cosine: number;
  readonly attributes: number;
  /** Only sellers with the deployment's minimum score. */
  readonly requiresMinScore: boolean;
  readonly latencyBoundMicros: number;
  readonly lotMbps: number;
  readonly slots: number;
  readonly earliestStart: number;
  readonly priceCap: number;
  readonly profile: number;
}

export interface PlannedAuction {
  readonly terms: ContractTerms;
  readonly fabric: FabricChoice;
}

export interface TermsRequest {
  readonly kind: EventKind;
  readonly policy: BuyPolicy;
  readonly accept: Config["accept"];
  readonly earlier: number;
  readonly need: { readonly mbps: number; readonly durationSeconds: number; readonly earliestStartSeconds: number };
  /** Of the farthest peer in reach. */
  readonly farthestKm: number;
  /** This region's fabrics in the order of the configuration. */
  readonly candidates: readonly FabricCandidate[];
  /** Names by number in the register. */
  readonly fabrics: readonly string[];
  readonly constants: ChainConstants;
}

/** @throws EphemeshError FABRIC_UNKNOWN */
export function planTerms(request: TermsRequest): PlannedAuction {
  const { kind, policy, accept, earlier, need, constants, fabrics } = request;
  const choice = chooseFabric(request.candidates.filter(({ fabric }) => fabrics.includes(fabric)));
  if (!choice) throw fabricUnknown(request.candidates);
  const lotMbps = lotFor(need.mbps);
  return {
    fabric: choice,
    terms: {
      kind: EVENT_KINDS.indexOf(kind),
      earlier,
      fabric: fabrics.indexOf(choice.name),
      cosine: Math.min(
        cosineOf(Math.min(request.farthestKm * CELL_MARGIN, accept.radius.km ?? Number.POSITIVE_INFINITY)),
        constants.maxCosine,
      ),
      attributes: attributeBits(accept.require),
      requiresMinScore: policy.minScore,
      // Two sellers are at most twice the radius apart.
      latencyBoundMicros: Math.round(2000 * accept.radius.rttMillis),
      lotMbps,
      slots: slotsFor(need.durationSeconds),
      earliestStart: need.earliestStartSeconds,
      priceCap: priceCapFor(policy, lotMbps),
      profile: PROFILES.indexOf(policy.profile),
    },
  };
}

/** Whole slots that cover the duration, within what the contract allows. */
export function slotsFor(durationSeconds: number): number {
  return Math.min(MAX_TERM_SLOTS, Math.max(MIN_TERM_SLOTS, Math.ceil(durationSeconds / SLOT_SECONDS)));
}

function cosineOf(radiusKm: number): number {
  return Math.floor(1e9 * Math.cos(Math.min(Math.PI, radiusKm / EARTH_RADIUS_KM)));
}

function fabricUnknown(candidates: readonly FabricCandidate[]): EphemeshError {
  return new EphemeshError(
    "FABRIC_UNKNOWN",
    `The consortium's register has none of this region's fabrics (${candidates.map(({ fabric }) => fabric).join(", ")}); no auction was opened.`,
    "Correct underlays[].fabric, or have the consortium register it.",
    { retryable: true },
  );
}
