/** `ephemesh audit`: needs no agent, only a node that need not be trusted, or a bundle and no network. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { getAddress, type Hex, isAddress } from "viem";
import { type Deployment, loadDeployment } from "../chain/client.ts";
import { JsonRpc } from "../chain/json-rpc.ts";
import { ReputationReader } from "../chain/reputation-reader.ts";
import { loadConfig } from "../config.ts";
import { EphemeshError } from "../model/errors.ts";
import { Audit, type AuditTerms } from "../reputation/audit.ts";
import { type Checkpoint, checkpointText, parseCheckpoint } from "../reputation/checkpoint.ts";
import type { Consensus } from "../reputation/proof/seals.ts";
import type { LeaseRecorded } from "../reputation/rebuild.ts";
import { type AuditReport, auditReport } from "../reputation/report.ts";
import { BundleWriter, readBundle } from "./bundle.ts";
import { printAudit } from "./print-audit.ts";
import { printJson } from "./table.ts";

/** Age of the latest block from which on a warning is printed. */
const MAX_AGE_SECONDS = 600;

export interface AuditOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly rpc?: string;
  readonly deployment?: string;
  /** Last block to count. Absent: the head. */
  readonly block?: number;
  readonly region?: number;
  /** Addresses, separated by commas. */
  readonly validators?: string;
  /** How blocks are sealed. */
  readonly consensus?: Consensus;
  /** Reads only the blocks that are said to hold settlements. */
  readonly quick?: boolean;
  readonly bundle?: string;
  readonly verify?: string;
  readonly checkpoint?: string;
}

/** Whether everything matches. @throws EphemeshError AUDIT_OPTIONS, RPC_…, BUNDLE_…, CHECKPOINT_…, DEPLOYMENT_… */
export async function showAudit(options: AuditOptions): Promise<boolean> {
  const { report } = await audited(options);
  if (options.json) printJson(report);
  else printAudit(report);
  const stale = options.block === undefined && !options.verify ? staleness(report, Date.now() / 1000) : null;
  if (stale) console.error(stale);
  return report.matches;
}

/** @param onRecorded see `Audit`. @throws EphemeshError as showAudit */
export async function audited(
  options: AuditOptions,
  onRecorded?: (event: LeaseRecorded) => void,
): Promise<{ readonly report: AuditReport; readonly audit: Audit }> {
  refuseContradictions(options);
  const config = options.deployment && (options.rpc || options.verify) ? null : loadConfig(options.config);
  const terms = termsOf(loadDeployment(options.deployment ?? config!.chain.deployment), options);
  const resumed = options.checkpoint ? readCheckpoint(options.checkpoint, terms, options) : null;
  const audit = new Audit(terms, resumed, onRecorded);
  if (options.verify)
    await readBundle(
      options.verify,
      (said) => audit.take(said),
      (where, cause) => audit.malformed(where, cause),
    );
  else await readNode(audit, await answeringNode(options.rpc ? [options.rpc] : config!.chain.rpc), resumed, options);
  const report = auditReport(audit);
  if (report.matches && options.checkpoint) replaceFile(options.checkpoint, checkpointText(audit.checkpoint()));
  return { report, audit };
}

/** A warning if the node's latest block is old; else null. @param now Unix time in seconds */
export function staleness({ block, timestamp }: Pick<AuditReport, "block" | "timestamp">, now: number): string | null {
  if (timestamp === null || now - timestamp <= MAX_AGE_SECONDS) return null;
  const minutes = Math.floor((now - timestamp) / 60);
  return `warning: the node's latest block, ${block}, is ${minutes} minutes old. The node may hide later settlements: ask another one.`;
}

/** Feeds the node's statements to the audit, and to the bundle if one is written. */
async function readNode(audit: Audit, rpc: JsonRpc, resumed: Checkpoint | null, options: AuditOptions): Promise<void> {
  const reader = new ReputationReader(rpc, audit.terms, {
    everyBlock: !options.quick && options.region === undefined,
    onProgress: process.stderr.isTTY
      ? (block, of) => process.stderr.write(`\rblock ${block} of ${of}${block === of ? "\n" : ""}`)
      : () => undefined,
  });
  const bundle = options.bundle ? new BundleWriter(options.bundle) : null;
  for await (const said of reader.records(audit, options.block ?? "latest", resumed)) {
    await audit.take(said);
    await bundle?.add(said);
  }
  await bundle?.close();
}

function termsOf(deployment: Deployment, { region, validators, consensus }: AuditOptions): AuditTerms {
  const { chainId, fromBlock, reputation, escrow, membership } = deployment;
  const fullBond = deployment.constants?.escrow.fullBond;
  if (fullBond === undefined)
    throw new EphemeshError(
      "DEPLOYMENT_INCOMPLETE",
      "The deployment lacks constants.escrow.fullBond, the bond at which a buyer's settlements have full weight.",
      "Use the deployment.json that scripts/deploy wrote.",
    );
  return {
    ...{ chainId, fromBlock, reputation, escrow, membership, fullBond, region: region ?? null },
    consensus: consensus ?? deployment.consensus ?? null,
    validators: validators ? [{ fromBlock: 0, validators: addressesOf(validators) }] : (deployment.validators ?? []),
  };
}

function addressesOf(text: string): Hex[] {
  return text.split(",").map((address) => {
    if (!isAddress(address.trim()))
      throw new EphemeshError(
        "AUDIT_OPTIONS",
        `--validators: "${address}" is not an address.`,
        "Give addresses separated by commas.",
      );
    return getAddress(address.trim());
  });
}

function readCheckpoint(file: string, terms: AuditTerms, options: AuditOptions): Checkpoint | null {
  if (!existsSync(file)) return null;
  const checkpoint = parseCheckpoint(readFileSync(file, "utf8"), file);
  const { chainId, reputation, region } = terms;
  const same =
    checkpoint.chainId === chainId &&
    checkpoint.reputation === reputation.toLowerCase() &&
    checkpoint.region === region;
  if (same && (options.block ?? Number.POSITIVE_INFINITY) > checkpoint.block) return checkpoint;
  throw new EphemeshError(
    "CHECKPOINT_OTHER",
    same
      ? `The checkpoint ${file} is at block ${checkpoint.block}, not below block ${options.block}.`
      : `The checkpoint ${file} is of another chain, contract or region.`,
    "It was not changed. Name another file; the audit then begins at the deployment.",
  );
}

function refuseContradictions(options: AuditOptions): void {
  const both = (a: keyof AuditOptions, b: keyof AuditOptions, reason: string) => {
    if (options[a] === undefined || options[b] === undefined) return;
    throw new EphemeshError("AUDIT_OPTIONS", `--${a} and --${b} exclude each other: ${reason}.`, "Omit one of them.");
  };
  both("bundle", "checkpoint", "a bundle begins at the deployment");
  both("verify", "rpc", "a bundle is checked without a node");
  both("verify", "bundle", "the bundle exists already");
  both("verify", "checkpoint", "a bundle begins at the deployment");
  both("verify", "block", "a bundle names its block");
}

/** The first node that answers. */
async function answeringNode(urls: readonly string[]): Promise<JsonRpc> {
  let last: unknown;
  for (const url of urls) {
    const rpc = new JsonRpc(url);
    try {
      await rpc.call("eth_chainId");
      return rpc;
    } catch (cause) {
      last = cause;
    }
  }
  throw last;
}

/** Atomically: if the process is killed, the old file stays. */
function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
