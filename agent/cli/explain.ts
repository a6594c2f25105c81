/** `ephemesh reputation explain REGION`: an audit of that region first, and only then why its score is what it is. */
import { explainScore } from "../reputation/explain.ts";
import type { LeaseRecorded } from "../reputation/rebuild.ts";
import { type AuditOptions, audited } from "./audit.ts";
import { printAudit } from "./print-audit.ts";
import { printJson, printLine, printTable } from "./table.ts";

const DAY_MILLIS = 86_400_000;

/** False, with what was found, where the audit of the region fails. @throws EphemeshError as showAudit */
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
  if (others > 0) console.log(`and ${others} older settlements, told apart no more`);
  console.log("one more lease of 100 Mbit/s for an hour would make it:");
  printTable(
    ["with buyer", "kept", "failed"],
    prospects.map(({ buyer, delivered, failed }) => [buyer ?? "a new one, full bond", delivered, failed]),
  );
  return true;
}

/** In reference leases. */
function leases(microUnits: bigint): string {
  return (Number(microUnits) / 1e9).toFixed(3);
}

function nameText(name: string | null | undefined): string {
  return name ? ` (${name})` : "";
}
