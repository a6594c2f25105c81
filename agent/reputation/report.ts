/** What a finished audit says, as data. With any deviation it names those and says nothing about regions. */
import type { Hex } from "viem";
import type { Audit } from "./audit.ts";
import { type CollusionFigures, collusionFigures } from "./collusion.ts";
import { type Deviation, describeDeviation } from "./deviation.ts";
import type { CreditSuspended } from "./proof/events.ts";
import { quorumOf, validatorsAt } from "./proof/seals.ts";
import { NEWCOMER, scoreAt } from "./rule.ts";
import type { RegionTally } from "./tally.ts";

/** Null where only one region's settlements as a seller were read: what it bought is not known then. */
type Bought = "settlementsAsBuyer" | "termSecondsAsBuyer" | "voidSecondsAsBuyer" | "disputedAsBuyer";

export interface AuditedRegion extends Omit<RegionTally, Bought>, Readonly<Record<Bought, number | null>> {
  readonly regionId: number;
  /** As registered; null where it could not be proved. */
  readonly name: string | null;
  readonly settlements: number;
  /** From the events alone. */
  readonly derivedScore: number;
  /** From what the contract stores. */
  readonly claimedScore: number;
  readonly matches: boolean;
  /** Null where only one region's settlements were read: what others hold from it is not known then. */
  readonly standing: Omit<CollusionFigures, "credit"> | null;
}

export interface AuditReport {
  /** The one seller that it is about; null: all. */
  readonly region: number | null;
  readonly block: number | null;
  readonly hash: Hex | null;
  /** The block's, Unix second. */
  readonly timestamp: number | null;
  /** Of the block: scores are as of this day. */
  readonly day: number | null;
  readonly settlements: number;
  readonly blocksRead: number;
  /** `every block`: no settlement can be missing; `by state`: none that moved a score or a pair. */
  readonly completeness: "every block" | "by state";
  /** `validators`: of the auditor's list; `itself`: those that the header names; `nobody`: the header is the node's word, or its seals do not stand. */
  readonly sealedBy: "validators" | "itself" | "nobody";
  readonly seals: string;
  readonly regions: readonly AuditedRegion[];
  readonly creditSuspensions: readonly CreditSuspended[];
  readonly deviations: readonly (Deviation & { readonly says: string })[];
  readonly matches: boolean;
}

/** Of an audit that has taken everything. */
export function auditReport(audit: Audit): AuditReport {
  const deviations = audit.finish().map((deviation) => ({ ...deviation, says: describeDeviation(deviation) }));
  const matches = deviations.length === 0;
  const { anchor, tally } = audit;
  return {
    region: audit.region,
    block: anchor?.header.number ?? null,
    hash: anchor?.said.hash ?? null,
    timestamp: anchor?.header.timestamp ?? null,
    day: anchor?.day ?? null,
    settlements: tally.settlements,
    blocksRead: audit.blocksRead,
    completeness: audit.everyBlock ? "every block" : "by state",
    ...sealsText(audit),
    regions: matches && anchor ? regionsOf(audit, anchor.header.stateRoot, anchor.day) : [],
    creditSuspensions:
      matches && anchor
        ? [...tally.creditSuspensions.values()].filter(({ until }) => until > anchor.header.timestamp)
        : [],
    deviations,
    matches,
  };
}

const notRead: Readonly<Record<Bought, null>> = {
  settlementsAsBuyer: null,
  termSecondsAsBuyer: null,
  voidSecondsAsBuyer: null,
  disputedAsBuyer: null,
};

function regionsOf(audit: Audit, stateRoot: Hex, day: number): AuditedRegion[] {
  const { stored, terms, rebuild, tally } = audit;
  const standing = collusionFigures(rebuild.pairs, day);
  const none = { credit: 0n, mutualPpm: 0, clique: [], cliquePpm: 0 };
  return stored.regions(stateRoot, audit).map((regionId) => {
    const derivedScore = scoreAt((rebuild.sellers.get(regionId) ?? NEWCOMER).current, day);
    const claimedScore = scoreAt(stored.credit(stateRoot, terms.reputation, regionId), day);
    const { credit: _, ...shares } = standing.get(regionId) ?? none;
    const counts = tally.of(regionId);
    return {
      regionId,
      name: stored.nameOf(stateRoot, terms.membership, regionId),
      settlements: counts.settlementsAsSeller,
      derivedScore,
      claimedScore,
      matches: derivedScore === claimedScore,
      standing: audit.region === null ? shares : null,
      ...counts,
      ...(audit.region === null ? {} : notRead),
    };
  });
}

function sealsText({ anchor, terms, cliqueMajority, deviations }: Audit): Pick<AuditReport, "sealedBy" | "seals"> {
  if (!anchor || anchor.seals.consensus === "none")
    return { sealedBy: "nobody", seals: "nothing seals this chain's blocks: the header is the node's word" };
  if (deviations.some(({ code }) => code === "SEAL")) return { sealedBy: "nobody", seals: "its seals do not stand" };
  const { consensus, signers, named } = anchor.seals;
  const listed = validatorsAt(anchor.header.number, terms);
  const who =
    consensus === "clique"
      ? cliqueMajority
        ? `sealed, with the blocks right after it, by ${cliqueMajority.sealed} of ${cliqueMajority.of} validators (Clique; ${cliqueMajority.needed} are needed; the chain can still be reorganised)`
        : `sealed by ${signers[0]} (Clique: one signer's word; no block after it was looked at)`
      : `sealed by ${signers.length} of ${(listed ?? named).length} validators (QBFT; ${quorumOf((listed ?? named).length)} are needed)`;
  if (listed) return { sealedBy: "validators", seals: who };
  return {
    sealedBy: "itself",
    seals: `${who}, but the list of validators is the header's own: compare it with the consortium's, or give it with --validators${named.length > 0 ? ` (${named.join(", ")})` : ""}`,
  };
}
