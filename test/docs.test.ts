import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  brokenInvariants,
  brokenLinks,
  brokenPages,
  brokenPaths,
  brokenRefusals,
  brokenSections,
  brokenTests,
  INVARIANTS_PAGE,
  orphanPages,
  type Problem,
  REFUSALS_PAGE,
  type Repository,
} from "./helpers/citations.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const NOT_OURS = new Set(["node_modules", "artifacts", "cache", ".git", ".node", "deployments", "coverage"]);
const CITES = /\.(md|ts|sol|mjs|c)$/;
/** These cite what does not exist, on purpose. */
const OWN = new Set(["test/docs.test.ts", "test/helpers/citations.ts"]);
const TEST_PAGES = [INVARIANTS_PAGE, "docs/SECURITY.md", "docs/BENCHMARKS.md"];

function readRepository(): Repository {
  const paths = new Set<string>();
  const texts = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(`${ROOT}/${folder}`, { withFileTypes: true })) {
      if (folder === "" && NOT_OURS.has(entry.name)) continue;
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      paths.add(path);
      if (entry.isDirectory()) walk(path);
      else if (CITES.test(path) && !OWN.has(path)) texts.set(path, readFileSync(`${ROOT}/${path}`, "utf8"));
    }
  };
  walk("");
  return { paths, texts };
}

function repositoryOf(files: Readonly<Record<string, string>>): Repository {
  const paths = Object.keys(files).flatMap((file) =>
    file.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/")),
  );
  return { paths: new Set(paths), texts: new Map(Object.entries(files)) };
}

const said = (problems: readonly Problem[]): string[] =>
  problems.map(({ file, line, problem }) => `${file}:${line} ${problem}`);

describe("documentation: what is cited is there", () => {
  const repository = readRepository();

  it("links of pages, with their headings", () => assert.deepEqual(said(brokenLinks(repository)), []));
  it("every page of docs/ is linked from another one", () => assert.deepEqual(said(orphanPages(repository)), []));
  it("pages, headings and sections that pages and sources name", () =>
    assert.deepEqual(said([...brokenPages(repository), ...brokenSections(repository)]), []));
  it("files and folders that pages and comments name", () => assert.deepEqual(said(brokenPaths(repository)), []));
  it("invariants", () => assert.deepEqual(said(brokenInvariants(repository)), []));
  it("tests that invariants, security and benchmarks name", () =>
    assert.deepEqual(said(brokenTests(repository, TEST_PAGES)), []));
  it("errors of the contracts and refusals on the control channel, each of them explained", () =>
    assert.deepEqual(said(brokenRefusals(repository)), []));
});

describe("documentation: each rule finds what is not there", () => {
  it("a link to a file or heading that is not there", () => {
    const page = "# One\n## Two: `x`\n[a](#two-x) [b](B.md) [c](docs/B.md#none) [d](https://example.org/z) [e](docs/)";
    const repository = repositoryOf({ "README.md": page, "docs/B.md": "# B\n```\n# none\n```\n" });
    assert.deepEqual(said(brokenLinks(repository)), [
      "README.md:3 there is no B.md",
      "README.md:3 docs/B.md has no heading #none",
    ]);
  });

  it("a page that no other page links", () => {
    const page = "[A](docs/A.md) [b](docs/d/B.md)";
    const repository = repositoryOf({
      "README.md": page,
      "docs/A.md": "",
      "docs/d/B.md": "",
      "docs/C.md": "[c](C.md)",
    });
    assert.deepEqual(said(orphanPages(repository)), ["docs/C.md:0 is linked from no other page"]);
  });

  it("a page, heading or section that is not there, in a page or a source", () => {
    const repository = repositoryOf({
      "docs/MARKET.md": "# M\n## 1. Open\nSee section 1, section 2, RFC 5286, section 9, and section 4 of RULES.md.",
      "docs/RULES.md": "## 3. Rule\nSee [MARKET.md](MARKET.md), section 7, or MARKET.md section 1.",
      "agent/a.ts":
        "// GONE.md, docs/RULES.md#3-rule, docs/RULES.md#4-rule\n/** (RULES.md, section 3) (MARKET.md, section 5) */",
      "lab/b.ts": 'throw new Error("data/README.md")',
      "lab/data/README.md": "# D",
    });
    assert.deepEqual(said([...brokenPages(repository), ...brokenSections(repository)]), [
      "docs/RULES.md:2 docs/MARKET.md has no section 7",
      "agent/a.ts:1 there is no page GONE.md",
      "agent/a.ts:1 docs/RULES.md has no heading #4-rule",
      "agent/a.ts:2 docs/MARKET.md has no section 5",
      "docs/MARKET.md:3 docs/MARKET.md has no section 2",
      "docs/MARKET.md:3 docs/RULES.md has no section 4",
    ]);
  });

  it("a path that is not there; patterns and addresses are none", () => {
    const repository = repositoryOf({
      "docs/A.md":
        "`agent/x.ts`, agent/gone.ts, `test/`, `test/**/*.ts`, /var/lib/test/x, http://lab/x, `scripts/none`",
      "agent/x.ts": 'import "test/none.ts"; // as agent/y does\n/* lab/none.ts */',
      "test/x.ts": "",
    });
    assert.deepEqual(said(brokenPaths(repository)), [
      "docs/A.md:1 there is no agent/gone.ts",
      "docs/A.md:1 there is no scripts/none",
      "agent/x.ts:1 there is no agent/y",
      "agent/x.ts:2 there is no lab/none.ts",
    ]);
  });

  it("an invariant that is none", () => {
    const repository = repositoryOf({ [INVARIANTS_PAGE]: "## INV-1: solvency\n", "agent/a.ts": "// INV-1\n// INV-13" });
    assert.deepEqual(said(brokenInvariants(repository)), ["agent/a.ts:2 agent/a.ts cites INV-13, which is none"]);
  });

  it("a test that is cited and not there", () => {
    const repository = repositoryOf({
      "test/a.test.ts": `it("one: a", () => 1); it(\`two \${x} b\`, () => 1); describe("three", () => 1);`,
      "test/b.t.sol": "function testFuzz_Four() external {}",
      [INVARIANTS_PAGE]:
        '- `test/a.test.ts`: "one: a", "two 5 b", "thr", "one…"\n- `test/b.t.sol`: "testFuzz_Four", "one: a"\n| x "not here" | `test/`: "three", "five…" |\n| y | "six" |\n| z | "three" |',
    });
    assert.deepEqual(said(brokenTests(repository, [INVARIANTS_PAGE])), [
      `${INVARIANTS_PAGE}:1 no test of test/a.test.ts: "thr"`,
      `${INVARIANTS_PAGE}:2 no test of test/b.t.sol: "one: a"`,
      `${INVARIANTS_PAGE}:3 no test of any: "five…"`,
      `${INVARIANTS_PAGE}:4 no test of any: "six"`,
    ]);
  });

  it("an error without an explanation, and an explanation without an error", () => {
    const repository = repositoryOf({
      "contracts/A.sol": "    error One(uint256 a);\n    error Two();\n",
      "agent/control/a.ts": 'throw refusal("CONTROL_ONE", ""); throw new EphemeshError(\n"CONTROL_TWO", "")',
      [REFUSALS_PAGE]:
        "| `Zero` | x |\n## Refusals on the control channel\n| `CONTROL_ONE`, `LINK_NONE` | x |\n## Refusals of the contracts\n| error | when |\n|---|---|\n| `One`, `Three` | x `Two` |\n",
    });
    assert.deepEqual(said(brokenRefusals(repository)), [
      `${REFUSALS_PAGE}:0 Two is not explained`,
      `${REFUSALS_PAGE}:0 Three is in no source`,
      `${REFUSALS_PAGE}:0 CONTROL_TWO is not explained`,
      `${REFUSALS_PAGE}:0 LINK_NONE is in no source`,
    ]);
  });
});
