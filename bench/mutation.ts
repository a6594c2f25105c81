/**
 * Mutation testing of the contracts: one small fault at a time, and the tests that should notice it. Run by hand, not in CI:
 *   scripts/bench mutation --libraries 60 --contracts 20 [--seed 1] [--only Budgets] [--json FILE]
 * A fault in a library is tested with the vectors and its fuzz tests first, then, like a fault in a contract, with the
 * mocha tests and the random stories of the market.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hex } from "viem";
import { buildContracts } from "../deploy/artifacts.ts";
import { JSON_FILE, optionsOf } from "../lab/options.ts";
import { clearingInSolidity } from "../test/parity/clearing.ts";
import { parityHarness } from "../test/parity/harness.ts";
import { reputationInSolidity } from "../test/parity/reputation.ts";
import { settlementInSolidity } from "../test/parity/settlement.ts";
import { signingInSolidity } from "../test/parity/signing.ts";
import { creationCode, type Target } from "./mutation/compile.ts";
import { type Mutant, mutantsOf } from "./mutation/mutants.ts";

type Verdict = "no program" | "vectors" | "fuzz" | "tests" | "stories" | "SURVIVED";

const root = fileURLToPath(new URL("../", import.meta.url));
const contract = (name: string): Target => ({ file: `contracts/${name}.sol`, contract: name });
const HARNESS: Target = { file: "contracts/test/ParityHarness.sol", contract: "ParityHarness" };
/** Fuzz tests of single libraries, each with its library compiled in. */
const suite = (name: string): Target => ({ file: `test/contracts/${name}.t.sol`, contract: `${name}Test` });
const [AUCTION, ESCROW, MEMBERSHIP] = ["CapacityAuction", "LeaseEscrow", "Membership"].map(contract) as [
  Target,
  Target,
  Target,
];

/** The contracts whose creation code contains a file, and whether the vectors test it. */
const PARTS: Readonly<
  Record<string, { readonly vectors: boolean; readonly fuzz?: readonly Target[]; readonly targets: readonly Target[] }>
> = {
  Arithmetic: { vectors: true, fuzz: [suite("Orders"), suite("Clearing")], targets: [AUCTION, ESCROW] },
  Clearing: { vectors: true, fuzz: [suite("Clearing")], targets: [AUCTION] },
  Orders: { vectors: true, fuzz: [suite("Orders"), suite("Clearing")], targets: [AUCTION] },
  Leases: { vectors: true, fuzz: [suite("Orders"), suite("Clearing")], targets: [AUCTION, ESCROW] },
  SettlementRule: { vectors: true, fuzz: [suite("SettlementRule")], targets: [ESCROW] },
  ReputationRule: { vectors: true, fuzz: [suite("ReputationRule")], targets: [ESCROW] },
  Budgets: { vectors: false, targets: [AUCTION, ESCROW] },
  Intervals: { vectors: false, targets: [MEMBERSHIP] },
  Attestations: { vectors: false, targets: [MEMBERSHIP, AUCTION] },
  CapacityAuction: { vectors: false, targets: [AUCTION] },
  LeaseEscrow: { vectors: false, targets: [ESCROW] },
  Reputation: { vectors: false, targets: [ESCROW] },
  Membership: { vectors: false, targets: [MEMBERSHIP] },
};
const CONTRACTS = ["CapacityAuction", "LeaseEscrow", "Reputation", "Membership"];

const options = optionsOf(
  {
    name: "scripts/bench mutation",
    summary:
      "Mutation testing of the contracts: changes one place of the source at a time and runs the tests against it.",
    duration: "hours with the defaults: each mutant is compiled and tested",
    needs: "nothing else; it builds the contracts if necessary",
  },
  {
    libraries: { type: "string", default: "60", wholeNumber: true, description: "mutants of each library" },
    contracts: { type: "string", default: "20", wholeNumber: true, description: "mutants of each contract" },
    seed: { type: "string", default: "1", wholeNumber: true, description: "of the choice of mutants" },
    only: { type: "string", placeholder: "NAME", description: `one of ${Object.keys(PARTS).join(", ")}` },
    json: JSON_FILE,
  },
);

await buildContracts({ tests: true });
const workspace = copyOfTheProject();
try {
  const names = Object.keys(PARTS).filter((name) => options.only === undefined || name === options.only);
  const chosen = [
    ...sampled(
      names.filter((name) => !CONTRACTS.includes(name)),
      Number(options.libraries),
    ),
    ...sampled(
      names.filter((name) => CONTRACTS.includes(name)),
      Number(options.contracts),
    ),
  ];
  const results: (Omit<Mutant, "source"> & { readonly verdict: Verdict })[] = [];
  for (const { source, ...mutant } of chosen) {
    const verdict = await judge({ source, ...mutant });
    results.push({ ...mutant, verdict });
    console.log(
      `${String(results.length).padStart(4)}  ${verdict.padEnd(10)}  ${mutant.file}:${mutant.line}  ${mutant.what}`,
    );
    if (verdict === "SURVIVED") console.log(`        ${mutant.before}\n      → ${mutant.after}`);
    if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  }
  const programs = results.filter(({ verdict }) => verdict !== "no program");
  const survived = programs.filter(({ verdict }) => verdict === "SURVIVED").length;
  console.log(`${programs.length} faults, ${programs.length - survived} noticed, ${survived} survived`);
} finally {
  rmSync(workspace, { recursive: true, force: true });
}

async function judge(mutant: Mutant): Promise<Verdict> {
  const name = mutant.file.replace(/^.*\//, "").replace(/\.sol$/, "");
  const { vectors, fuzz = [], targets } = PARTS[name]!;
  const changed = { [mutant.file]: mutant.source };
  if (vectors) {
    const code = creationCode([HARNESS], changed, root)?.get("ParityHarness");
    if (!code) return "no program";
    if (!(await vectorsHold(code))) return "vectors";
  }
  const code = creationCode([...targets, ...fuzz], changed, root);
  if (!code) return "no program";
  const restore = install([...targets, ...fuzz], code);
  try {
    const suites = fuzz.map(({ file }) => file);
    if (fuzz.length > 0 && !(await passes("hardhat", "test", "solidity", "--no-compile", ...suites))) return "fuzz";
    if (!(await passes("mocha", "--bail", "--exit", "--timeout", "60000", "test/contracts/*.test.ts"))) return "tests";
    if (
      !(await passes(
        "hardhat",
        "test",
        "solidity",
        "--no-compile",
        "test/contracts/MarketInvariant.t.sol",
        "test/contracts/FullBook.t.sol",
      ))
    )
      return "stories";
    return "SURVIVED";
  } finally {
    restore();
  }
}

async function vectorsHold(creation: Hex): Promise<boolean> {
  const file = (name: string) => JSON.parse(readFileSync(`${root}test/vectors/${name}.json`, "utf8"));
  try {
    const call = await parityHarness(creation);
    await clearingInSolidity(file("clearing"), call);
    await reputationInSolidity(file("reputation"), call);
    await settlementInSolidity(file("settlement"), call);
    await signingInSolidity(file("signing"), call);
    return true;
  } catch {
    return false;
  }
}

/** Writes the faulty code to where tests read it: the artifacts, and the creation code of deployments. */
function install(targets: readonly Target[], code: ReadonlyMap<string, Hex>): () => void {
  const undo: (() => void)[] = [];
  const change = (path: string, edit: (text: string) => string) => {
    const text = readFileSync(path, "utf8");
    writeFileSync(path, edit(text));
    undo.push(() => writeFileSync(path, text));
  };
  change(join(workspace, "deployments/creation-code.json"), (text) => {
    const deployed: Record<string, Hex> = JSON.parse(text);
    for (const name of Object.keys(deployed)) deployed[name] = code.get(name) ?? deployed[name]!;
    return JSON.stringify(deployed);
  });
  for (const { file, contract: name } of targets)
    change(join(workspace, `artifacts/${file}/${name}.json`), (text) =>
      JSON.stringify({ ...JSON.parse(text), bytecode: code.get(name) }),
    );
  return () => {
    for (const step of undo) step();
  };
}

function passes(tool: string, ...args: readonly string[]): Promise<boolean> {
  const command = join(root, "node_modules/.bin", tool);
  const env = { ...process.env, EPHEMESH_FUZZ_RUNS: "128" };
  return new Promise((resolve) =>
    execFile(command, args, { cwd: workspace, env, timeout: 300_000, maxBuffer: 1 << 26 }, (error) => resolve(!error)),
  );
}

function copyOfTheProject(): string {
  const to = mkdtempSync(join(tmpdir(), "ephemesh-mutation-"));
  for (const part of ["agent", "artifacts", "cache", "contracts", "deploy", "deployments", "scripts", "test"])
    cpSync(join(root, part), join(to, part), { recursive: true });
  for (const file of ["hardhat.config.ts", "package.json", "tsconfig.json"]) cpSync(join(root, file), join(to, file));
  symlinkSync(join(root, "node_modules"), join(to, "node_modules"));
  return to;
}

/** One seed draws the same faults. */
function sampled(names: readonly string[], count: number): Mutant[] {
  const all = names.flatMap((name) => {
    const file = `contracts/${CONTRACTS.includes(name) ? "" : "libraries/"}${name}.sol`;
    return mutantsOf(file, readFileSync(`${root}${file}`, "utf8"));
  });
  let state = BigInt(options.seed) * 2n + 1n;
  const drawn = all.map((mutant) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) % 2n ** 64n;
    return { mutant, key: state >> 11n };
  });
  return drawn
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .slice(0, count)
    .map(({ mutant }) => mutant);
}
