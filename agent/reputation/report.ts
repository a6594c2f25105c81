/** A finished audit's result as data. If anything deviates, it lists the deviations and reports no region. */
import type { Hex } from "viem";
import type { Audit } from "./audit.ts";
import { type CollusionFigures, collusionFigures } from "./collusion.ts";
import type { RegionCounts } from "./counts.ts";
import { type Deviation, describeDeviation } from "./deviation.ts";
import type { CreditSuspended } from "./proof/events.ts";
import { quorumOf, validatorsAt } from "./proof/seals.ts";
import { NEWCOMER, scoreAt } from "./rule.ts";

/** Null if only one region was audited: its settlements as a buyer were not read. */
type Bought = "settlementsAsBuyer" | "termSecondsAsBuyer" | "voidSecondsAsBuyer" | "disputedAsBuyer";

export interface AuditedRegion extends Omit<RegionCounts, Bought>, Readonly<Record<Bought, number | null>> {
  readonly regionId: number;
  /** The registered name; null if it is empty or longer than 31 bytes. */
  readonly name: string | null;
  readonly settlements: number;
  /** 0 to 1,000,000, computed from the events. */
  readonly derivedScore: number;
  /** 0 to 1,000,000, computed from what the contract stores. */
  readonly storedScore: number;
  readonly matches: boolean;
  /** Null if only one region was audited: the credit that others hold from it was not read. */
  readonly collusion: Omit<CollusionFigures, "credit"> | null;
}

export interface AuditReport {
  /** The audited seller; null: all. */
  readonly region: number | null;
  readonly block: number | null;
  readonly hash: Hex | null;
  /** Unix second of the block. */
  readonly timestamp: number | null;
  /** Days since 1970 (UTC) of the block; scores are decayed to this day. */
  readonly day: number | null;
  readonly settlements: number;
  readonly blocksRead: number;
  /** `every block`: no settlement can be missing; `by state`: none can be missing that changed a stored value. */
  readonly completeness: "every block" | "by state";
  /** `validators`: those of the auditor's list; `itself`: those that the header names; `nobody`: no seals, or invalid ones. */
  readonly sealedBy: "validators" | "itself" | "nobody";
  readonly seals: string;
  readonly regions: readonly AuditedRegion[];
  readonly creditSuspensions: readonly CreditSuspended[];
  readonly deviations: readonly (Deviation & { readonly message: string })[];
  readonly matches: boolean;
}

/** Call once, after the last record. */
export function auditReport(audit: Audit): AuditReport {
  const deviations = audit.finish().map((deviation) => ({ ...deviation, message: describeDeviation(deviation) }));
  const matches = deviations.length === 0;
  const { anchor, counts } = audit;
  return {
    region: audit.region,
    block: anchor?.header.number ?? null,
    hash: anchor?.said.hash ?? null,
    timestamp: anchor?.header.timestamp ?? null,
    day: anchor?.day ?? null,
    settlements: counts.settlements,
    blocksRead: audit.blocksRead,
    completeness: audit.everyBlock ? "every block" : "by state",
    ...sealsText(audit),
    regions: matches && anchor ? regionsOf(audit, anchor.header.stateRoot, anchor.day) : [],
    creditSuspensions:
      matches && anchor
        ? [...counts.creditSuspensions.values()].filter(({ until }) => until > anchor.header.timestamp)
        : [],
    deviations,
    matches,
  };
}

const BOUGHT_NOT_READ: Readonly<Record<Bought, null>> = {
  settlementsAsBuyer: null,
  termSecondsAsBuyer: null,
  voidSecondsAsBuyer: null,
  disputedAsBuyer: null,
};

function regionsOf(audit: Audit, stateRoot: Hex, day: number): AuditedRegion[] {
  const { state, terms, rebuilt, counts } = audit;
  const collusion = collusionFigures(rebuilt.pairs, day);
  const none = { credit: 0n, mutualPpm: 0, clique: [], cliquePpm: 0 };
  return state.regions(stateRoot, audit).map((regionId) => {
    const derivedScore = scoreAt((rebuilt.sellers.get(regionId) ?? NEWCOMER).current, day);
    const storedScore = scoreAt(state.credit(stateRoot, terms.reputation, regionId), day);
    const { credit: _, ...shares } = collusion.get(regionId) ?? none;
    const counted = counts.of(regionId);
    return {
      regionId,
      name: state.nameOf(stateRoot, terms.membership, regionId),
      settlements: counted.settlementsAsSeller,
      derivedScore,
      storedScore,
      matches: derivedScore === storedScore,
      collusion: audit.region === null ? shares : null,
      ...counted,
      ...(audit.region === null ? {} : BOUGHT_NOT_READ),
    };
  });
}

function sealsText({ anchor, terms, cliqueMajority, deviations }: Audit): Pick<AuditReport, "sealedBy" | "seals"> {
  if (!anchor || anchor.seals.consensus === "none")
    return { sealedBy: "nobody", seals: "the header has no seals: only the node vouches for it" };
  if (deviations.some(({ code }) => code === "SEAL")) return { sealedBy: "nobody", seals: "its seals are not valid" };
  const { consensus, signers, named } = anchor.seals;
  const listed = validatorsAt(anchor.header.number, terms);
  const who =
    consensus === "clique"
      ? cliqueMajority
        ? `sealed with its children by ${cliqueMajority.sealed} of ${cliqueMajority.of} validators (Clique; ${cliqueMajority.needed} are needed; the chain can still be reorganised)`
        : `sealed by ${signers[0]} (Clique: one signer's word; later blocks were not checked)`
      : `sealed by ${signers.length} of ${(listed ?? named).length} validators (QBFT; ${quorumOf((listed ?? named).length)} are needed)`;
  if (listed) return { sealedBy: "validators", seals: who };
  return {
    sealedBy: "itself",
    seals: `${who}, but the list of validators is the header's own: compare it with the consortium's, or give the right one with --validators${named.length > 0 ? ` (${named.join(", ")})` : ""}`,
  };
}
