/** An audit's report for people. */
import type { AuditReport } from "../reputation/report.ts";
import { printLine, printTable } from "./table.ts";

const MAX_DEVIATIONS = 20;

/** Prints scores, deviations and the verdict. */
export function printAudit(report: AuditReport): void {
  if (report.matches) printFindings(report);
  for (const { message } of report.deviations.slice(0, MAX_DEVIATIONS)) console.log(message);
  if (report.deviations.length > MAX_DEVIATIONS)
    console.log(`… and ${report.deviations.length - MAX_DEVIATIONS} more (--json lists all)`);
  const at = report.timestamp === null ? "" : `of ${minuteText(report.timestamp)} `;
  console.log(`block ${report.block ?? "?"} ${at}${report.hash ?? ""}: ${report.seals}`);
  if (report.matches)
    console.log(
      report.completeness === "every block"
        ? "every block was read: no settlement is missing"
        : "only blocks said to hold settlements were read: no settlement that changed a score is missing",
    );
  console.log(
    report.matches
      ? `${report.settlements} settlements${report.region === null ? "" : ` of region ${report.region}`} up to block ${report.block}: ${report.region === null ? "every" : "its"} score matches its events and the state root`
      : `THE AUDIT FAILED: ${report.deviations.length} deviations; it says nothing about any score`,
  );
}

function printFindings({ regions, creditSuspensions }: AuditReport): void {
  const nameOf = (id: number) => regions.find(({ regionId }) => regionId === id)?.name ?? String(id);
  printTable(
    ["region", "name", "settlements", "score from events", "score on chain", "matches"],
    regions.map((r) => [r.regionId, r.name, r.settlements, r.derivedScore, r.storedScore, r.matches ? "yes" : "NO"]),
  );
  console.log("what the scores do not show:");
  printTable(
    [
      "region",
      "credit from mutual pairs",
      "credit from a clique",
      "void s as seller",
      "void s as buyer",
      "disputed as seller",
      "disputed as buyer",
    ],
    regions
      .filter((r) => r.settlementsAsSeller + (r.settlementsAsBuyer ?? 0) > 0)
      .map((r) => [
        r.name ?? r.regionId,
        r.collusion && percent(r.collusion.mutualPpm),
        r.collusion?.clique.length ? `${percent(r.collusion.cliquePpm)} (of ${r.collusion.clique.length})` : null,
        `${r.voidSecondsAsSeller} of ${r.termSecondsAsSeller}`,
        r.voidSecondsAsBuyer === null ? null : `${r.voidSecondsAsBuyer} of ${r.termSecondsAsBuyer}`,
        r.disputedAsSeller,
        r.disputedAsBuyer,
      ]),
  );
  for (const { lower, higher, until } of creditSuspensions)
    printLine(`no credit between ${nameOf(lower)} and ${nameOf(higher)} until ${minuteText(until)}`);
}

/** A header can hold a second beyond the calendar. */
function minuteText(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1000);
  return Number.isNaN(date.getTime()) ? `second ${unixSeconds}` : `${date.toISOString().slice(0, 16)}Z`;
}

function percent(ppm: number): string {
  return `${(ppm / 10_000).toFixed(1)} %`;
}
