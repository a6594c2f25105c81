import assert from "node:assert/strict";
import { findingsIn } from "../../scripts/lint-prose.ts";
import { faultOf } from "../../scripts/lint-titles.ts";

describe("scripts/lint prose", () => {
  const terms = (text: string, file = "agent/a.ts") =>
    findingsIn(file, text).map(({ line, term }) => `${line} ${term}`);

  it("names line and term, in any case, also across a line end", () => {
    assert.deepEqual(terms("// Fine.\n// Whoever sends it by\nway of a hub"), ["2 Whoever", "2 by way of"]);
    assert.deepEqual(terms("const MOST_PAIRS = 1;\nconst MAX_PAIRS = 1;"), ["1 MOST_PAIRS"]);
  });

  it("allows `standing peering`, also where a comment goes on in the next line, and no other standing", () => {
    assert.deepEqual(terms("the standing peering\n * a standing\n * peering\nstandingPeering"), []);
    assert.deepEqual(terms("a standing tunnel\nstandingOf(x)"), ["1 standing", "2 standingOf"]);
  });

  it("finds fields called why or because, and leaves comments alone", () => {
    assert.deepEqual(terms("  readonly why: string;\n// Ask why: nobody knows.\n  because: null,"), [
      "1 why",
      "3 because",
    ]);
  });

  it("finds constants called WAY, least scores, and what stands behind or up again", () => {
    assert.deepEqual(terms("const WAY = 1; // the least score"), ["1 WAY", "1 least score"]);
    assert.deepEqual(terms("a mesh stands\n up again; they stand behind it; the way"), [
      "1 stands up again",
      "2 stand behind",
    ]);
  });

  it("leaves old names alone where a page quotes them", () => {
    assert.deepEqual(terms("- `leastScore` is `minScore` now", "CHANGELOG.md"), []);
    assert.deepEqual(terms("leastScore is minScore now", "CHANGELOG.md"), ["1 leastScore"]);
  });
});

describe("scripts/lint titles", () => {
  const faultOfTitle = (title: string) => faultOf(`${title}\n\nThe reason.`);

  it("wants `area: Imperative title` of at most 72 characters", () => {
    assert.equal(faultOfTitle("meshd: Count refused advertisements"), null);
    assert.equal(faultOfTitle("bench: Process both files"), null);
    for (const title of [
      "Count refused advertisements",
      "Meshd: Count refused advertisements",
      "meshd: count refused advertisements",
      "meshd: Counts refused advertisements",
      "meshd: Counted refused advertisements",
      "meshd: Count refused advertisements.",
      `meshd: Count ${"x".repeat(60)}`,
    ])
      assert.notEqual(faultOfTitle(title), null, title);
  });

  it("wants a body", () => {
    for (const body of ["", "\n", "\n\n  \n"])
      assert.equal(faultOf(`meshd: Count refused advertisements${body}`), "no body that says why");
  });
});
