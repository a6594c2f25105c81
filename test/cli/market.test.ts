import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { booksOf } from "../../agent/cli/market.ts";

const MAIN = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));
const VECTORS = fileURLToPath(new URL("../vectors/clearing.json", import.meta.url));

interface Figures {
  readonly lotsTraded: number;
  readonly fills?: readonly Record<string, number>[];
  readonly leases?: unknown;
}

describe("ephemesh market clear", function () {
  this.timeout(60_000);
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "ephemesh-market-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  async function clear(file: string, ...more: readonly string[]) {
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", MAIN, "market", "clear", file, ...more],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    assert.doesNotMatch(err + out, /^\s+at .+:\d+:\d+\)?$/m, "never a stack trace");
    return { out, err, code: Number(code) };
  }
  const book = (content: unknown) => {
    const path = join(folder, "book.json");
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };

  it("gives every figure of the vectors", async () => {
    const { out, code } = await clear(VECTORS, "--json");
    assert.equal(code, 0);
    const { books } = JSON.parse(out) as { books: (Figures & Record<string, unknown>)[] };
    const { cases } = JSON.parse(readFileSync(VECTORS, "utf8")) as {
      cases: { result: Figures & Record<string, unknown> }[];
    };
    assert.equal(books.length, cases.length);
    for (const [i, { result }] of cases.entries()) {
      const found = books[i]!;
      if (result.lotsTraded === 0) {
        assert.equal(found.lotsTraded, 0);
        continue;
      }
      for (const name of [
        "lotsTraded",
        "scaledPrice",
        "price",
        "scaledLow",
        "scaledHigh",
        "marginalBid",
        "marginalAsk",
      ])
        assert.equal(found[name], result[name], `${i}: ${name}`);
      for (const [at, fill] of found.fills!.entries())
        for (const [name, value] of Object.entries(fill))
          assert.equal(value, result.fills![at]![name], `${i}: ${name}`);
    }
  });

  it("shows a table for people, and says so where nothing trades", async () => {
    const one = {
      cap: 10,
      orders: [
        { side: "bid", price: 9, lots: 2 },
        { side: "ask", price: 5, lots: 3, score: 1000 },
      ],
    };
    const { out } = await clear(book(one));
    assert.match(out, /2 lots at 5 /);
    assert.match(out, /certificate \(0, 1\)/);
    assert.match((await clear(book({ cap: 10, orders: [] }))).out, /nothing trades, certificate \(none, none\)/);
  });

  it("names every problem of a bad book at once, and clears nothing", async () => {
    const bad = {
      cap: 10,
      orders: [
        { side: "bid", price: 11, lots: 1 },
        { side: "ask", price: 1, lots: 0 },
        { side: "bid", price: 1, lots: 1, score: 100, boostBps: 251 },
        { side: "sell", price: 1, lots: 1 },
        { side: "ask", price: 1, lots: 1, pirce: 3 },
      ],
    };
    const first = await clear(book(bad));
    assert.equal(first.code, 1);
    for (const expected of [/orders\.1\.lots/, /orders\.3\.side/, /pirce/, /→ Fix the lines above/])
      assert.match(first.err, expected);
    const rules = await clear(
      book({
        cap: 10,
        orders: [
          { index: 1, side: "bid", price: 11, lots: 1 },
          { side: "bid", price: 1, lots: 1, score: 100, boostBps: 251 },
          { side: "ask", price: 1, lots: 1, boostBps: 5 },
          { side: "ask", price: 1, lots: 1, score: 400, handicapBps: 5 },
        ],
      }),
    );
    for (const expected of [
      /above the cap/,
      /allows a boost of 250/,
      /an ask has no boost/,
      /handicap of score 400 is 600/,
      /index 1 is used twice/,
    ])
      assert.match(rules.err, expected);
    assert.equal(rules.out, "");
  });

  it("a file that is absent, no JSON, of another kind or empty says what to do", async () => {
    const { code, err } = await clear(join(folder, "absent.json"));
    assert.deepEqual([code, /→/.test(err)], [1, true]);
    assert.throws(() => booksOf("book", "{nonsense"), { code: "BOOK_NOT_JSON" });
    for (const content of ["[]", "null", "3", '{"cases": []}', '{"cases": [null]}', '{"cap": 0, "orders": []}'])
      assert.throws(() => booksOf("book", content), { code: "BOOK_INVALID" }, content);
  });
});
