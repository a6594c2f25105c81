/**
 * The test files of a part of scripts/test, one path a line: `node scripts/test-files.ts PART`. Folder and imports of a
 * file decide its part, so a new folder or file joins one without an entry anywhere:
 *
 * | file | part |
 * |---|---|
 * | in test/contracts, test/parity | `contracts`, `parity` |
 * | starts no process, nor does a module of test/, lab/, bench/ or deploy/ that it imports | `fast` |
 * | starts processes, in test/lab, test/meshd, test/e2e | `lab`, `meshd`, `e2e`: they may make network interfaces |
 * | imports lab/lab.ts, in another folder | `lab` |
 * | any other | `unit` |
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const ON_HARDHAT = ["contracts", "parity"];
const WITH_INTERFACES = ["lab", "meshd", "e2e"];
const STARTS_PROCESSES = ["node:child_process", "execa"];

export function partOf(file: string): string {
  const folder = file.split("/")[1]!;
  if (ON_HARDHAT.includes(folder)) return folder;
  const imported = importsOf(file, new Set());
  if (!STARTS_PROCESSES.some((module) => imported.has(module))) return "fast";
  if (WITH_INTERFACES.includes(folder)) return folder;
  return imported.has("lab/lab.ts") ? "lab" : "unit";
}

/** Packages and files that a file imports; files of test/, lab/, bench/ and deploy/ are followed. */
function importsOf(file: string, found: Set<string>): Set<string> {
  const imports = readFileSync(join(root, file), "utf8").matchAll(/^(?!import type ).*\b(?:from|import) "([^"]+)"/gm);
  for (const [, name] of imports) {
    const module = name!.startsWith(".") ? relative(root, join(root, dirname(file), name!)) : name!;
    if (found.has(module)) continue;
    found.add(module);
    if (/^(test|lab|bench|deploy)\/.*\.ts$/.test(module) && existsSync(join(root, module))) importsOf(module, found);
  }
  return found;
}

if (import.meta.main)
  for (const file of globSync("test/**/*.test.ts", { cwd: root }).sort())
    if (partOf(file) === process.argv[2]) console.log(file);
