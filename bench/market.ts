/**
 * Market quality of our rule and four others: gains kept, balance, what the best misreport adds. And the pool over years.
 * `--json FILE` writes the figures; docs/images/market-pool.svg is redrawn. `--books N` (default 16) for each size.
 */
import { writeFileSync } from "node:fs";
import Table from "cli-table3";
import { JSON_FILE, optionsOf } from "../lab/options.ts";
import { dataBook, evenBook, type Random, seeded, withScores } from "./market/books.ts";
import { bestMisreport } from "./market/misreport.ts";
import { lineChart } from "./market/plot.ts";
import { simulateYears, type World } from "./market/pool.ts";
import { type Order, ours, RULES, type Rule, welfare } from "./market/rules.ts";

interface Quality {
  readonly book: string;
  readonly rule: string;
  readonly traders: number;
  /** Percent of the gains that were possible. */
  readonly gainsKept: number;
  /** Percent of the gains: paid by buyers less received by sellers; below 0 is a subsidy. */
  readonly balance: number;
  /** Percent of an equal split of the gains: the mean of all traders, and of the one in each book that gains most. */
  readonly misreport: number;
  readonly worstMisreport: number;
  readonly splitOrShill: number;
}

const SIZES = [4, 10, 30, 100];
/** The number of traders of a book that search for their best misreport; in a large book they are evenly spaced. */
const SEARCHERS = 30;
const options = optionsOf(
  {
    name: "scripts/bench market",
    summary:
      "Market quality of our rule and four others, and the pool over years. Redraws docs/images/market-pool.svg.",
    duration: "about 1 minute",
    needs: "nothing else",
  },
  {
    json: JSON_FILE,
    books: { type: "string", default: "16", wholeNumber: true, description: "order books of each size" },
  },
);

const quality: Quality[] = [];
for (const [book, make] of [["even", evenBook] as const, ["data", dataBook] as const])
  for (const traders of SIZES)
    for (const [name, rule] of Object.entries(RULES)) quality.push(measure(book, make, name, rule, traders));
for (const percent of [10, 25])
  for (const traders of SIZES) {
    const make = (n: number, random: Random) => withScores(evenBook(n, random), percent * 100, random);
    quality.push(measure(`even, scores and boosts to ${percent} %`, make, "ours", ours, traders));
  }
const worlds: Readonly<Record<string, World>> = {
  "scores spread": world((region) => 0.5 + region / 80),
  "all good": world(() => 0.99),
  "newcomers every week": { ...world((region) => 0.5 + region / 80), turnoverWeeks: 40 },
};
const years = Object.entries(worlds).map(([name, w]) => ({ name, ...simulateYears(w, seeded(7)) }));
report();

function world(quality: World["quality"]): World {
  return { regions: 40, weeks: 156, auctionsPerWeek: 24, ordersPerAuction: 10, quality, turnoverWeeks: 1e9 };
}

function measure(
  book: string,
  make: (traders: number, random: Random) => Order[],
  name: string,
  rule: Rule,
  traders: number,
): Quality {
  const random = seeded(traders);
  const found = { mean: 0, worst: 0, more: 0, books: 0 };
  const searched = traders > 30 || name === "VCG" ? Math.ceil(Number(options.books) / 4) : Number(options.books);
  const [all, gains, paid] = [Number(options.books) * 10, { kept: 0, possible: 0 }, { in: 0, out: 0 }];
  for (let i = 0; i < all; i++) {
    const orders = make(traders, random);
    const possible = possibleGains(orders);
    if (possible <= 0) continue;
    const { fills, money } = rule(orders);
    gains.kept += welfare(orders, fills);
    gains.possible += possible;
    orders.forEach(({ side }, at) => {
      if (side === "bid") paid.in += money[at]!;
      else paid.out += money[at]!;
    });
    if (found.books >= searched || (name === "VCG" && traders > 30)) continue;
    found.books++;
    const step = Math.ceil(traders / SEARCHERS);
    const lies = orders.flatMap((_, who) => (who % step === 0 ? [bestMisreport(rule, orders, who)] : []));
    const share = traders / possible;
    found.mean += (share * lies.reduce((sum, { single }) => sum + single, 0)) / lies.length;
    found.worst += share * Math.max(...lies.map(({ single }) => single));
    found.more += share * Math.max(...lies.map(({ more }) => more));
  }
  const per = (sum: number) => (found.books === 0 ? Number.NaN : (100 * sum) / found.books);
  return {
    book,
    rule: name,
    traders,
    gainsKept: (100 * gains.kept) / gains.possible,
    balance: (100 * (paid.in - paid.out)) / gains.possible,
    misreport: per(found.mean),
    worstMisreport: per(found.worst),
    splitOrShill: per(found.more),
  };
}

/** By true values, without the scores. */
function possibleGains(orders: readonly Order[]): number {
  const plain = orders.map((order) => ({ ...order, bps: 0, score: 0 }));
  return welfare(plain, ours(plain).fills);
}

function report(): void {
  for (const book of new Set(quality.map((row) => row.book))) {
    const table = new Table({
      head: [book, ...SIZES.map((n) => `${n} traders: kept · balance · misreport · worst · split or shill`)],
      style: { head: [], border: [] },
    });
    for (const rule of Object.keys(RULES)) {
      const rows = quality.filter((row) => row.book === book && row.rule === rule);
      if (rows.length === 0) continue;
      const cell = ({ gainsKept, balance, misreport, worstMisreport, splitOrShill }: Quality) =>
        [gainsKept, balance, misreport, worstMisreport, splitOrShill]
          .map((n) => (Number.isNaN(n) ? "–" : n.toFixed(1)))
          .join(" · ");
      table.push([rule, ...rows.map(cell)]);
    }
    console.log(table.toString());
  }
  console.log(
    "Gains kept and balance in % of the gains. Gains by a misreport in % of an equal split: mean of all traders, and worst of each book; split or shill is added to the worst.",
  );
  const table = new Table({
    head: [
      "pool over three years",
      "in, % of turnover",
      "out",
      "boosts borne %",
      "mean score",
      "pool at the end, weeks of turnover",
    ],
    style: { head: [], border: [] },
  });
  for (const { name, inflow, outflow, covered, meanScore, pool } of years)
    table.push([
      name,
      (100 * inflow).toFixed(1),
      (100 * outflow).toFixed(1),
      (100 * covered).toFixed(1),
      meanScore.toFixed(0),
      pool.at(-1)!.toFixed(2),
    ]);
  console.log(table.toString());
  const lines = years.map(({ name, pool }) => ({ name, points: pool }));
  const chart = lineChart("The pool, in weeks of turnover", "weeks", "weeks of turnover", lines);
  writeFileSync(new URL("../docs/images/market-pool.svg", import.meta.url), chart);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ quality, years }, null, 2)}\n`);
}
