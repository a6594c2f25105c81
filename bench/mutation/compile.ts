/** The contracts' creation code by the pinned compiler, from sources in memory: as the build makes it, without writing files. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Hex } from "viem";

interface Compiler {
  compile(input: string, callbacks: { import(path: string): { contents: string } }): string;
}
interface Output {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts?: Record<string, Record<string, { evm: { bytecode: { object: string } } }>>;
}

const require = createRequire(import.meta.url);
const solc = require("solc") as Compiler;

export interface Target {
  readonly file: string;
  readonly contract: string;
}

/** Null if the source does not compile. */
export function creationCode(
  targets: readonly Target[],
  changed: Readonly<Record<string, string>>,
  root: string,
): Map<string, Hex> | null {
  const read = (path: string): string =>
    changed[path] ?? readFileSync(path.startsWith("@") ? `${root}node_modules/${path}` : `${root}${path}`, "utf8");
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(targets.map(({ file }) => [file, { content: read(file) }])),
    settings: {
      metadata: { bytecodeHash: "none" },
      viaIR: true,
      optimizer: { enabled: true, runs: 200 },
      evmVersion: "cancun",
      outputSelection: Object.fromEntries(
        targets.map(({ file, contract }) => [file, { [contract]: ["evm.bytecode.object"] }]),
      ),
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: (path) => ({ contents: read(path) }) }));
  const { errors = [], contracts = {} } = output as Output;
  if (errors.some(({ severity }) => severity === "error")) return null;
  return new Map(
    targets.map(({ file, contract }): [string, Hex] => [
      contract,
      `0x${contracts[file]![contract]!.evm.bytecode.object}`,
    ]),
  );
}
