/** `ephemesh reputation explain REGION`: audits the region, then shows what its score is made of. */
import { explainScore } from "../reputation/explain.ts";
import type { LeaseRecorded } from "../reputation/rebuild.ts";
import { type AuditOptions, audited } from "./audit.ts";
import { printAudit } from "./print-audit.ts";
import { printJson, printLine, printTable } from "./table.ts";

const DAY_MILLIS = 86_400_000;

/** Whether the audit of the region succeeds; if not, prints its findings. @throws EphemeshError as showAudit */
export async function explainReputation(options: AuditOptions & { readonly region: number }): Promise<boolean> {
  const events: LeaseRecorded[] = [];
  const { report, audit } = await audited(options, (event) => events.push(event));
  if (!report.matches) {
    printAudit(report);
    return false;
  }
  const explanation = explainScore(events, audit.terms.fullBond, report.day!);
  if (options.json) {
    printJson({
      ...{ region: options.region, block: report.block, ...explanation },
      contributions: explanation.contributions.map((c) => ({
        ...c,
        delivered: `${c.delivered}`,
        failed: `${c.failed}`,
      })),
    });
    return true;
  }
  const { score, contributions, others, prospects } = explanation;
  printLine(
    `region ${options.region}${nameText(report.regions[0]?.name)}: ${score} of 1,000,000 at block ${report.block}`,
  );
  printTable(
    ["lease", "day", "buyer", "delivered", "failed", "adds to today's score"],
    contributions.map((c) => [
      c.leaseId.slice(0, 10),
      new Date(c.day * DAY_MILLIS).toISOString().slice(0, 10),
      c.buyer,
      leases(c.delivered),
      leases(c.failed),
      c.effect > 0 ? `+${c.effect}` : c.effect,
    ]),
  );
  if (others > 0) console.log(`and ${others} older settlements, which are not listed one by one`);
  console.log("score after one more lease of 100 Mbit/s for an hour:");
  printTable(
    ["buyer", "if delivered", "if failed"],
    prospects.map(({ buyer, delivered, failed }) => [buyer ?? "a new buyer with a full bond", delivered, failed]),
  );
  return true;
}

/** In reference leases (100 Mbit/s for an hour). */
function leases(microUnits: bigint): string {
  return (Number(microUnits) / 1e9).toFixed(3);
}

function nameText(name: string | null | undefined): string {
  return name ? ` (${name})` : "";
}
