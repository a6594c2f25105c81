/**
 * A long history, audited from outside: `ephemesh audit` as a process of its own, over HTTP, against anvil. The leases
 * are settled by ManySettlements (contracts/test) in place of the escrow: it calls Reputation.record for each, 500 in a
 * transaction.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { createPublicClient, createWalletClient, type Hex, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { AuditReport } from "../agent/reputation/report.ts";
import { builtArtifact } from "../deploy/artifacts.ts";
import { writeDeployment } from "../deploy/contracts.ts";
import { ChainNode } from "../lab/chain/chain-node.ts";
import { foundConsortium } from "../lab/chain/consortium.ts";
import { uniformTopology } from "../lab/layout/topology.ts";
import { JSON_FILE, optionsOf } from "../lab/options.ts";

const REGIONS = 50;
const AT_ONCE = 500;
const GAS = 29_000_000n;
const HOURS_BETWEEN = 2;
const EXPECTED = { seconds: 10, peakMegabytes: 300 } as const;
const root = fileURLToPath(new URL("..", import.meta.url));

const options = optionsOf(
  {
    name: "scripts/bench audit",
    summary: "Audits a long history with `ephemesh audit` as a separate process, over HTTP, against anvil.",
    duration: "a few minutes, most of it to make the history",
    needs: "nothing else; it builds the contracts if necessary",
  },
  {
    json: JSON_FILE,
    settlements: { type: "string", default: "100000", wholeNumber: true, description: "length of the history" },
  },
);
const wanted = Number(options.settlements);
const folder = mkdtempSync(join(tmpdir(), "ephemesh-bench-audit-"));
const { abi, bytecode } = await builtArtifact("ManySettlements");
const node = await ChainNode.start();
try {
  const madeSeconds = await history();
  const all = await audited(["--rpc", node.rpcUrl]);
  const bundle = join(folder, "region.bundle");
  await audited(["--rpc", node.rpcUrl, "--region", "7", "--bundle", bundle]);
  const offline = await audited(["--verify", bundle]);
  const figures = {
    settlements: all.report.settlements,
    seconds: all.seconds,
    peakMegabytes: all.peakMegabytes,
    bundleBytesOneRegion: statSync(bundle).size,
    settlementsOneRegion: offline.report.settlements,
    bundleVerifySeconds: offline.seconds,
    blocksRead: all.report.blocksRead,
    historyMadeSeconds: madeSeconds,
  };
  if (options.json) writeFileSync(options.json, `${JSON.stringify(figures, null, 2)}\n`);
  const table = new Table({ head: ["figure", "measured", "expected"] });
  const most = 200_000 + 2_000 * figures.settlementsOneRegion;
  table.push(
    ["settlements audited", figures.settlements, wanted],
    ["seconds, whole process", figures.seconds, `≤ ${EXPECTED.seconds}`],
    ["peak memory, MB", figures.peakMegabytes, `≤ ${EXPECTED.peakMegabytes}`],
    [
      `bundle of one region (${figures.settlementsOneRegion} settlements), bytes`,
      figures.bundleBytesOneRegion,
      `≤ ${most}`,
    ],
    ["its check without network, seconds", figures.bundleVerifySeconds, ""],
    ["(making the history, seconds)", figures.historyMadeSeconds, ""],
  );
  console.log(table.toString());
} finally {
  await node.stop();
  rmSync(folder, { recursive: true });
}

/** Seconds that it took. */
async function history(): Promise<number> {
  const began = performance.now();
  const { deployment, founderKey } = await foundConsortium(
    uniformTopology({ regions: REGIONS, rttMillis: 1 }),
    node.rpcUrl,
    folder,
  );
  const account = privateKeyToAccount(founderKey);
  const client = createPublicClient({ transport: http(node.rpcUrl), pollingInterval: 10, cacheTime: 0 });
  const wallet = createWalletClient({ account, transport: http(node.rpcUrl) });
  const paid = { gas: GAS, gasPrice: 0n, type: "legacy", chain: null } as const;
  const created = await client.waitForTransactionReceipt({
    hash: await wallet.deployContract({ abi, bytecode, ...paid }),
  });
  const escrow = created.contractAddress!;
  const reputation = (await client.readContract({ address: escrow, abi, functionName: "reputation" })) as Hex;
  writeDeployment(folder, { ...deployment, escrow, reputation });
  for (let first = 0, batch = 0; first < wanted; first += AT_ONCE, batch++) {
    await node.request("evm_increaseTime", [HOURS_BETWEEN * 3_600]);
    const seller = (batch % REGIONS) + 1;
    const args = [seller, BigInt(first), BigInt(Math.min(AT_ONCE, wanted - first)), REGIONS, 997n] as const;
    const hash = await wallet.writeContract({ address: escrow, abi, functionName: "settle", args, ...paid });
    const { status } = await client.waitForTransactionReceipt({ hash });
    if (status !== "success") throw new Error(`batch ${batch} failed`);
  }
  return seconds(began);
}

/** Runs it as its user would, and watches it from outside. */
async function audited(
  args: readonly string[],
): Promise<{ report: AuditReport; seconds: number; peakMegabytes: number }> {
  const began = performance.now();
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "agent/main.ts", "audit", "--json", "--deployment", folder, ...args],
    { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
  );
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  let peakMegabytes = 0;
  const watch = setInterval(() => {
    peakMegabytes = Math.max(peakMegabytes, peakOf(child.pid!));
  }, 20);
  await once(child, "close");
  clearInterval(watch);
  const report = JSON.parse(text) as AuditReport;
  if (!report.matches) throw new Error(report.deviations.map(({ message }) => message).join("\n"));
  return { report, seconds: seconds(began), peakMegabytes };
}

/** Of a process that runs: the kernel's own high-water mark. */
function peakOf(pid: number): number {
  const status = `/proc/${pid}/status`;
  const [, kilobytes] = (existsSync(status) && /VmHWM:\s+(\d+)/.exec(readFileSync(status, "utf8"))) || [];
  return Math.round(Number(kilobytes ?? 0) / 1_000);
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 10) / 100;
}
