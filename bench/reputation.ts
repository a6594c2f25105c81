/**
 * Attacks on the score, with our rule and three others: 100 regions, 6,000 leases, sellers chosen by the real market rule.
 * `--seeds N` (5), `--json FILE`, `--plot FILE` draws how a seller that begins to fail loses its score.
 */
import { writeFileSync } from "node:fs";
import Table from "cli-table3";
import { JSON_FILE, optionsOf } from "../lab/options.ts";
import { bestPolicy, type Policy } from "./reputation/adversary.ts";
import { range, SCENARIOS, world } from "./reputation/attacks.ts";
import { DAYS, LEASES_A_DAY, market, seeded } from "./reputation/market.ts";
import { mean } from "./reputation/measures.ts";
import { plot } from "./reputation/plot.ts";
import { RULES } from "./reputation/rules.ts";

const SEARCHED = 40;
const options = optionsOf(
  {
    name: "scripts/bench reputation",
    summary: "Attacks on the reputation score, with our rule and three others: 100 regions, 6,000 leases, 60 days.",
    duration: "about 30 seconds",
    needs: "nothing else",
  },
  {
    seeds: { type: "string", default: "5", wholeNumber: true, description: "simulated worlds of each scenario" },
    json: JSON_FILE,
    plot: {
      type: "string",
      placeholder: "FILE",
      description: "draw the score of a seller that begins to fail to FILE (SVG)",
    },
  },
);
const seeds = range(1, Number(options.seeds));
const began = performance.now();

const figures: Record<string, Record<string, number>> = {};
const policies: Record<string, Policy> = {};
for (const make of RULES) {
  const { name } = make();
  const put = (figure: string, value: number) => {
    figures[figure] = { ...figures[figure], [name]: Math.round(1_000 * value) / 1_000 };
  };
  for (const scenario of SCENARIOS) {
    const runs = seeds.map((seed) => scenario(make, seed));
    for (const figure of Object.keys(runs[0]!)) put(figure, mean(runs.map((run) => run[figure]!)));
  }
  const { policy, gain } = bestPolicy(make, seeds, SEARCHED);
  put("best deviation found: earnings against the best honest one's", gain);
  policies[name] = policy;
}

const names = RULES.map((make) => make().name);
const table = new Table({ head: ["measure", ...names], style: { head: [], border: [] } });
table.push(...Object.entries(figures).map(([figure, of]) => [figure, ...names.map((name) => of[name]!)]));
console.log(table.toString());
for (const name of names) console.log(`best deviation against ${name}: ${JSON.stringify(policies[name])}`);
const seconds = Math.round((performance.now() - began) / 100) / 10;
console.log(`${seeds.length} seeds of ${DAYS * LEASES_A_DAY} leases each, ${seconds} s`);

if (options.json)
  writeFileSync(options.json, `${JSON.stringify({ seeds: seeds.length, seconds, figures, policies }, null, 2)}\n`);
if (options.plot)
  writeFileSync(
    options.plot,
    plot("Score of a seller that begins to fail on day 30", milked(), { day: 30, says: "begins to fail" }),
  );

/** Mean of five such sellers over the seeds. */
function milked() {
  const attackers = range(10, 5);
  const quality = (_: number, day: number) => (day < 30 ? 0.98 : 0.2);
  return RULES.map((make) => {
    const runs = seeds.map((seed) =>
      market(
        make(),
        world((id) => (attackers.includes(id) ? { quality } : {})),
        seeded(seed),
      ),
    );
    const values = range(0, DAYS).map((day) =>
      mean(runs.map((days) => mean(attackers.map((id) => days[day]!.scores[id]!)))),
    );
    return { name: make().name, values };
  });
}
