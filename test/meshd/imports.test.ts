import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const AGENT = new URL("../../agent", import.meta.url).pathname;

/** Of each file under agent/ those that it imports, types included. */
function importsOf(files: readonly string[]): ReadonlyMap<string, readonly string[]> {
  return new Map(
    files.map((file) => {
      const imports = readFileSync(join(AGENT, file), "utf8").matchAll(/^(?:import|export)[^"]*? from "(\.[^"]+)";/gm);
      return [file, [...imports].map(([, to = ""]) => relative(AGENT, resolve(AGENT, dirname(file), to)))];
    }),
  );
}

/** The first circle found from each file that has one, as `a → b → a`. */
function circles(imports: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) found.push([...path.slice(start), file].join(" → "));
    if (start >= 0 || done.has(file)) return;
    for (const next of imports.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return found;
}

describe("imports under agent/", () => {
  it("a circle of any length is found", () => {
    const graph = (edges: Record<string, string[]>) => circles(new Map(Object.entries(edges)));
    assert.deepEqual(graph({ a: ["b", "c"], b: ["c"], c: [] }), []);
    assert.deepEqual(graph({ a: ["b"], b: ["c"], c: ["b"] }), ["b → c → b"]);
    assert.deepEqual(graph({ a: ["a"] }), ["a → a"]);
  });

  it("no file imports itself through others", () => {
    const files = readdirSync(AGENT, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const imports = importsOf(files);
    assert.ok([...imports.values()].flat().length > files.length, "the imports were read");
    assert.deepEqual(circles(imports), []);
  });
});
