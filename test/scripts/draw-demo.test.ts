import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { DemoFigures } from "../../lab/demo/figures.ts";
import { ratesMbps } from "../../lab/traffic/transfer.ts";
import { demoPicture, readmeRow } from "../../scripts/draw-demo.ts";

describe("the picture of a demo run", () => {
  it("rates are averages over whole periods from the first report on", () => {
    // 12.5 kB in 100 ms are 1 Mbit/s; nothing arrives in the second half second.
    const bytes = [0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 8, 11].map((parts) => parts * 12_500);
    const progress = bytes.map((each, i) => ({ atMillis: 7_000 + i * 100, bytes: each }));
    assert.deepEqual(ratesMbps(progress, 500), [1, 0]);
    assert.deepEqual(ratesMbps([], 500), []);
  });

  it("docs/images/demo.svg and the README have the figures of docs/images/demo.json", () => {
    const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    const figures = JSON.parse(read("docs/images/demo.json")) as DemoFigures;
    assert.equal(demoPicture(figures), read("docs/images/demo.svg"));
    assert.ok(read("README.md").includes(readmeRow(figures)));
  });
});
