/**
 * Writes the parts of the compiler's output that agent, console and deployments need, so that they need no Hardhat:
 * `agent/chain/abi/*.ts`, each ABI `as const` for viem; `agent/reputation/proof/layout.ts`, the storage slots and event
 * topics that the audit reads; `deployments/creation-code.json`. Run after `npx hardhat build`. `--check` changes nothing
 * and fails if a file is not as built.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type AbiEvent, toEventSelector } from "viem";

interface AbiEntry {
  readonly type: string;
  readonly name?: string;
  readonly inputs?: readonly { readonly type: string }[];
}

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = `${root}agent/chain/abi`;

/** File in `agent/chain/abi` → its contract, and the contracts whose errors its calls can also revert with. */
const sources: Record<string, { readonly contract: string; readonly errorsOf?: readonly string[] }> = {
  membership: { contract: "Membership", errorsOf: ["Intervals", "AccessManager"] },
  "capacity-auction": { contract: "CapacityAuction", errorsOf: ["LeaseEscrow", "Membership"] },
  "lease-escrow": { contract: "LeaseEscrow", errorsOf: ["Membership", "SettlementToken"] },
  reputation: { contract: "Reputation" },
  "settlement-token": { contract: "SettlementToken" },
};

/** Variables and members of structs that the audit reads in storage, by contract. */
const audited: Record<string, { readonly variables: readonly string[]; readonly structs: readonly string[] }> = {
  Reputation: {
    variables: ["sellers", "checkpoints", "pairs", "creditSuspensions"],
    structs: ["SellerState", "PairState"],
  },
  Membership: { variables: ["regionCount", "records"], structs: ["Record"] },
};
/** Events that the audit reads in receipts, by contract. */
const logged: Record<string, readonly string[]> = {
  Reputation: ["LeaseRecorded", "CreditSuspended"],
  LeaseEscrow: ["LeaseSettled"],
};

/** Contracts that a deployment creates. */
const created = ["SettlementToken", "AccessManager", "Membership", "LeaseEscrow", "CapacityAuction"] as const;

const check = process.argv.includes("--check");
const stale: string[] = [];
for (const [file, { contract, errorsOf = [] }] of Object.entries(sources)) {
  const abi = abiOf(contract).filter((entry) => entry.type !== "constructor");
  for (const other of errorsOf)
    for (const entry of abiOf(other)) if (entry.type === "error" && !has(abi, entry)) abi.push(entry);
  const path = `${folder}/${file}.ts`;
  write(
    path,
    formatted(
      path,
      `// Generated from the build by scripts/generate-abi.ts.\nexport const ${camel(file)}Abi = ${JSON.stringify(abi, withoutInternalTypes)} as const;\n`,
    ),
  );
}
const layoutPath = `${root}agent/reputation/proof/layout.ts`;
write(
  layoutPath,
  formatted(
    layoutPath,
    `// Generated from the build by scripts/generate-abi.ts.\n\n/** Storage slot and offset in bytes; of members from the start of their struct. */\nexport const storageLayout = ${JSON.stringify(
      Object.fromEntries(Object.keys(audited).map((contract) => [contract, layoutOf(contract)])),
    )} as const;\n\n/** First topic of each event. */\nexport const eventTopics = ${JSON.stringify(
      Object.fromEntries(Object.keys(logged).flatMap((contract) => topicsOf(contract))),
    )} as const;\n`,
  ),
);
const creationCode = Object.fromEntries(created.map((contract) => [contract, artifactOf(contract).bytecode]));
write(`${root}deployments/creation-code.json`, `${JSON.stringify(creationCode, null, 2)}\n`);

console.log(
  stale.length === 0
    ? "ABIs, layout and creation code are as built."
    : `${check ? "Not as built" : "Written"}: ${stale.join(", ")}`,
);
if (check && stale.length > 0) process.exitCode = 1;

function write(path: string, text: string): void {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  stale.push(path.slice(root.length));
  if (!check) writeFileSync(path, text);
}

function abiOf(contract: string): AbiEntry[] {
  return artifactOf(contract).abi;
}

interface Placed {
  readonly label: string;
  readonly slot: string;
  readonly offset: number;
}

interface StorageLayout {
  readonly storage: readonly Placed[];
  readonly types: Readonly<Record<string, { readonly label: string; readonly members?: readonly Placed[] }>>;
}

interface Artifact {
  readonly abi: AbiEntry[];
  readonly bytecode: string;
  readonly buildInfoId: string;
}

function layoutOf(contract: string): Record<string, unknown> {
  const { variables, structs } = audited[contract]!;
  const { storage, types } = storageLayoutOf(contract);
  const place = ({ slot, offset }: Placed) => ({ slot: Number(slot), offset });
  const membersOf = (name: string) =>
    Object.values(types).find(({ label, members }) => members && label.split(/[ .]/).at(-1) === name)?.members ?? [];
  return {
    ...Object.fromEntries(variables.map((name) => [name, place(storage.find(({ label }) => label === name)!)])),
    ...Object.fromEntries(
      structs.map((name) => [name, Object.fromEntries(membersOf(name).map((member) => [member.label, place(member)]))]),
    ),
  };
}

/** Hardhat keeps it in the output of the build that made the artifact; older builds may lie beside it. */
function storageLayoutOf(contract: string): StorageLayout {
  const { buildInfoId } = artifactOf(contract);
  const { output } = JSON.parse(readFileSync(`${root}artifacts/build-info/${buildInfoId}.output.json`, "utf8")) as {
    output: { contracts: Record<string, Record<string, { storageLayout?: StorageLayout }>> };
  };
  const layout = output.contracts[`project/contracts/${contract}.sol`]?.[contract]?.storageLayout;
  if (!layout) throw new Error(`No storage layout of ${contract}; run npx hardhat build first.`);
  return layout;
}

function topicsOf(contract: string): [string, string][] {
  return logged[contract]!.map((name) => [
    name,
    toEventSelector(abiOf(contract).find((entry) => entry.type === "event" && entry.name === name) as AbiEvent),
  ]);
}

function artifactOf(contract: string): Artifact {
  return JSON.parse(readFileSync(artifactPath(contract), "utf8"));
}

function artifactPath(contract: string): string {
  const found = [
    `contracts/${contract}.sol`,
    `contracts/interfaces/I${contract}.sol/I${contract}.json`,
    `contracts/libraries/${contract}.sol`,
    `contracts/demo/${contract}.sol`,
    `@openzeppelin/contracts/access/manager/${contract}.sol`,
  ]
    .map((source) => `${root}artifacts/${source}${source.endsWith(".json") ? "" : `/${contract}.json`}`)
    .find(existsSync);
  if (!found) throw new Error(`No artifact of ${contract}; run npx hardhat build first.`);
  return found;
}

/** Formatted by Biome, so that formatting does not change a generated file. */
function formatted(path: string, text: string): string {
  return execFileSync(`${root}node_modules/.bin/biome`, ["format", `--stdin-file-path=${path}`], {
    input: text,
    encoding: "utf8",
    cwd: root,
  });
}

function has(abi: readonly AbiEntry[], entry: AbiEntry): boolean {
  const signature = (e: AbiEntry) => `${e.type} ${e.name}(${(e.inputs ?? []).map((i) => i.type).join(",")})`;
  return abi.some((e) => signature(e) === signature(entry));
}

function withoutInternalTypes(key: string, value: unknown): unknown {
  return key === "internalType" ? undefined : value;
}

function camel(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
