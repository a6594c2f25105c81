import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const ROOT = new URL("..", import.meta.url).pathname;

/** main → coordinator → drivers → pure → model (ARCHITECTURE.md). A part may import lower layers; of its own layer, SIDEWAYS. */
const LAYERS: Readonly<Record<string, number>> = {
  ...layer(5, ["main.ts", "up.ts", "serve.ts", "cli"]),
  ...layer(4, ["api"]),
  ...layer(3, ["coordinator"]),
  ...layer(2, ["chain", "control", "journal", "meshd-client.ts", "meshd"]),
  ...layer(1, ["auction", "lease", "reputation", "scan", "topology", "trigger", "config.ts"]),
  ...layer(0, ["model"]),
};

/** What parts import of other parts of their layer. */
const SIDEWAYS = [
  "auction → config.ts",
  "chain → journal",
  "main.ts → cli",
  "main.ts → serve.ts",
  "main.ts → up.ts",
  "up.ts → cli",
];

interface Import {
  readonly from: string;
  readonly to: string;
}

describe("architecture", () => {
  const imports = importsUnder(join(ROOT, "agent"));

  it("every part of the agent has its layer", () => {
    const parts = new Set(imports.flatMap(({ from, to }) => [partOf(from), partOf(to)]));
    assert.deepEqual(
      [...parts].filter((part) => LAYERS[part] === undefined),
      [],
    );
  });

  it("imports point one way: main → coordinator → drivers → pure → model", () => {
    const upward = imports.filter(({ from, to }) => LAYERS[partOf(from)]! < LAYERS[partOf(to)]!);
    assert.deepEqual(upward, []);
  });

  it("of its own layer a part imports only the parts that are listed, and each listed pair is used", () => {
    const sideways = imports
      .map(({ from, to }) => [partOf(from), partOf(to)] as const)
      .filter(([from, to]) => from !== to && LAYERS[from] === LAYERS[to])
      .map(([from, to]) => `${from} → ${to}`);
    assert.deepEqual([...new Set(sideways)].sort(), SIDEWAYS);
  });

  it("the pure parts import no driver of the outside: no socket, file, process or clock", () => {
    const pure = ["auction", "lease", "reputation", "scan", "topology", "trigger", "model"];
    const outside =
      /from "node:(fs|net|http|https|dgram|child_process|sqlite|tls|timers)[^"]*"|\b(Date\.now|performance\.now)\(/;
    const offending = sourcesUnder(join(ROOT, "agent"))
      .map((file) => relative(join(ROOT, "agent"), file))
      .filter((file) => pure.includes(partOf(file)) && file !== "model/time.ts")
      .filter((file) => outside.test(readFileSync(join(ROOT, "agent", file), "utf8")));
    assert.deepEqual(offending, []);
  });

  it("meshd shares with the agent only what is in model/", () => {
    const shared = imports.filter(
      ({ from, to }) => partOf(from) === "meshd" && !["meshd", "model"].includes(partOf(to)),
    );
    assert.deepEqual(shared, []);
    // Only who starts it or cleans up after it knows meshd's own code.
    const users = imports.filter(({ from, to }) => partOf(to) === "meshd" && partOf(from) !== "meshd");
    assert.deepEqual(
      users.filter(({ from }) => LAYERS[partOf(from)] !== LAYERS["main.ts"]),
      [],
    );
  });

  it("the agent knows neither the lab nor the tests", () => {
    assert.deepEqual(
      imports.filter(({ to }) => to.startsWith("..")),
      [],
    );
  });

  it("contracts: CapacityAuction → LeaseEscrow → Reputation; nothing points back", () => {
    const order = ["CapacityAuction", "LeaseEscrow", "Reputation", "Membership"];
    for (const [i, contract] of order.entries()) {
      const source = readFileSync(join(ROOT, `contracts/${contract}.sol`), "utf8");
      const used = [...source.matchAll(/from "\.\/(?:interfaces\/I)?(\w+)\.sol"/g)].map(([, name]) => name!);
      const back = order.slice(0, i).filter((higher) => used.includes(higher));
      assert.deepEqual(back, [], `${contract} points back`);
    }
  });
});

function layer(height: number, parts: readonly string[]): Record<string, number> {
  return Object.fromEntries(parts.map((part) => [part, height]));
}

function partOf(file: string): string {
  return file.split("/")[0] ?? file;
}

function sourcesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file));
}

function importsUnder(folder: string): Import[] {
  return sourcesUnder(folder).flatMap((file) => {
    const source = readFileSync(file, "utf8");
    const statements = [
      ...source.matchAll(/(?:import|export)(?: type)?\s[^;]*?from "(\.[^"]+)"|import\("(\.[^"]+)"\)/g),
    ];
    return statements.map(([, fixed, dynamic]) => ({
      from: relative(folder, file),
      to: relative(folder, resolve(dirname(file), fixed ?? dynamic ?? "")),
    }));
  });
}
