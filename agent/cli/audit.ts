/** `ephemesh audit`: needs no agent, only a node and the deployment. */
import { checkDeployment, connectChain, loadDeployment } from "../chain/client.ts";
import { readReputation } from "../chain/reputation-reader.ts";
import { loadConfig } from "../config.ts";
import { toJson } from "../model/json.ts";
import { auditReputation } from "../reputation/audit.ts";
import { printTable } from "./table.ts";

export interface AuditOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly rpc?: string;
  readonly deployment?: string;
}

/** True where everything matches. */
export async function showAudit(options: AuditOptions): Promise<boolean> {
  const config = options.rpc && options.deployment ? null : loadConfig(options.config);
  const deployment = loadDeployment(options.deployment ?? config!.chain.deployment);
  const client = connectChain(options.rpc ? [options.rpc] : config!.chain.rpc, deployment);
  await checkDeployment(client, deployment);
  const progress = process.stderr.isTTY
    ? (block: number, of: number) => process.stderr.write(`\rblock ${block} of ${of}`)
    : () => undefined;
  const read = await readReputation(client, deployment, progress);
  if (process.stderr.isTTY) process.stderr.write("\n");
  const result = auditReputation(read.events, read.claimed, read.fullBond, read.day);
  if (options.json) {
    console.log(toJson({ block: read.blockNumber, ...result }));
    return result.matches;
  }
  const nameOf = (id: number) => read.claimed.find((c) => c.regionId === id)?.name ?? String(id);
  printTable(
    ["region", "settlements", "score from events", "score on chain", "matches"],
    result.regions.map((r) => [
      nameOf(r.regionId),
      r.settlements,
      r.derivedScore,
      r.claimedScore,
      r.matches ? "yes" : "NO",
    ]),
  );
  for (const d of result.deviations)
    console.log(`lease ${d.leaseId}: the ${d.what} state of ${nameOf(d.region)} is not what the rule gives`);
  console.log(
    `${result.settlements} settlements up to block ${read.blockNumber}: ${result.matches ? "every score is what its events give" : "THE CHAIN'S SCORES ARE NOT WHAT ITS EVENTS GIVE"}`,
  );
  return result.matches;
}
