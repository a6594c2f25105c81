/**
 * What the compiler's model checker (constrained Horn clauses, bundled z3) can prove of the libraries' arithmetic.
 * Run by hand, not in CI: `scripts/bench model-check [--only NAME] [--json FILE]`. Each claim is an `assert` over all inputs
 * in the ranges of MARKET.md section 1; two claims are false on purpose and must be refuted.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import Table from "cli-table3";
import { JSON_FILE, optionsOf } from "../lab/options.ts";

interface Claim {
  readonly name: string;
  readonly says: string;
  /** A planted fault: the checker must find it. */
  readonly planted?: true;
  readonly body: string;
}

type Verdict = "proved" | "refuted" | "not decided" | "no answer in time" | "error";

/** Rounding calls the library; the other claims repeat its lines, because the checker cannot decide whole settlements. */
const CLAIMS: readonly Claim[] = [
  {
    name: "round-up",
    says: "⌈a / b⌉ · b is at least a and less than a + b",
    body: `function claim(uint64 a, uint32 b) external pure {
      require(b > 0);
      uint256 up = Arithmetic.ceilDiv(a, b);
      assert(up * b >= a);
      assert(up * b < uint256(a) + b);
    }`,
  },
  {
    name: "buyer-limit",
    says: "a buyer never pays more than its price: p ≤ E ≤ price · (10⁴ + boost) gives u ≤ price",
    body: `function claim(uint32 price, uint16 boost, uint64 p) external pure {
      require(boost <= 2500);
      require(p <= uint256(price) * (10000 + uint256(boost)));
      assert(Arithmetic.ceilDiv(p, 10000 + uint256(boost)) <= price);
    }`,
  },
  {
    name: "seller-limit",
    says: "a seller never receives less than its price: p ≥ price · (10⁴ + handicap) gives r ≥ price",
    body: `function claim(uint32 price, uint16 handicap, uint64 p) external pure {
      require(handicap <= 1000);
      require(p >= uint256(price) * (10000 + uint256(handicap)));
      assert(uint256(p) / (10000 + uint256(handicap)) >= price);
    }`,
  },
  {
    name: "price-between",
    says: "the clearing price lies between its bounds, and the sum of both never overflows",
    body: `function claim(uint48 low, uint48 high) external pure {
      require(low <= high);
      uint256 p = uint256(low) + (uint256(high) - low) / 2;
      assert(p >= low && p <= high);
    }`,
  },
  {
    name: "bond-shares",
    says: "the bond shares of two leases in a row add up to the share of both together",
    body: `function claim(uint64 bond, uint32 c, uint32 one, uint32 two, uint32 lots) external pure {
      require(lots > 0 && lots <= 1000000 && c <= lots && one <= lots && two <= lots);
      require(uint256(c) + one + two <= lots);
      uint256 a = (uint256(bond) * (uint256(c) + one)) / lots - (uint256(bond) * c) / lots;
      uint256 b = (uint256(bond) * (uint256(c) + one + two)) / lots - (uint256(bond) * (uint256(c) + one)) / lots;
      assert(a + b == (uint256(bond) * (uint256(c) + one + two)) / lots - (uint256(bond) * c) / lots);
    }`,
  },
  {
    name: "buyer-conserved",
    says: "a settlement returns to the buyer what it does not pay, and pays at most what was locked",
    body: `uint256 locked; uint256 free;
    function lock(uint64 u) external { require(u <= free); free -= u; locked += u; }
    function deposit(uint64 u) external { free += u; total += u; }
    function settle(uint64 u, uint64 pays) external {
      require(u <= locked && pays <= u);
      locked -= u; free += u - pays; pool += pays;
      }
    uint256 total; uint256 pool;
    function claim() external view { assert(total == locked + free + pool); }`,
  },
  {
    name: "pool-covers",
    says: "the pool never falls below what is reserved: R ≤ Pb + B holds for every lease that settles",
    body: `uint256 pool; uint256 reserved;
    function add(uint64 units) external { pool += units; }
    function reserve(uint64 need) external { require(need <= pool - reserved); reserved += need; }
    function giveBack(uint64 back) external { require(back <= reserved); reserved -= back; }
    function settle(uint64 b, uint64 pays, uint64 gets, uint64 more) external {
      require(b <= reserved && gets <= uint256(pays) + b);
      reserved -= b; pool = pool + pays + more - gets;
    }
    function claim() external view { assert(reserved <= pool); }`,
  },
  {
    name: "seconds",
    says: "available, failed and void seconds add up to the lease's end, whatever is claimed",
    body: `function claim(uint32 end, uint32 covered, uint32 available, uint32 word, bool claimed) external pure {
      require(covered <= end && available <= covered);
      uint256 grace = claimed ? (end - covered < 30 ? end - covered : 30) : 0;
      uint256 b = available;
      if (claimed && word > available) b = word < available + grace ? word : available + grace;
      uint256 failed = uint256(covered) + grace - b;
      uint256 voided = uint256(end) - covered - grace;
      assert(b + failed + voided == end);
    }`,
  },
  {
    name: "planted-rounding",
    says: "(false) rounding down a buyer's price covers it",
    planted: true,
    body: `function claim(uint64 a, uint32 b) external pure { require(b > 0); assert((uint256(a) / b) * b >= a); }`,
  },
  {
    name: "planted-pool",
    says: "(false) a pool that pays a seller beyond buyer and budget still covers what is reserved",
    planted: true,
    body: `uint256 pool; uint256 reserved;
    function add(uint64 units) external { pool += units; }
    function reserve(uint64 need) external { require(need <= pool - reserved); reserved += need; }
    function settle(uint64 b, uint64 gets) external {
      require(b <= reserved && gets <= pool); reserved -= b; pool -= gets;
    }
    function claim() external view { assert(reserved <= pool); }`,
  },
];

const PATIENCE_MILLIS = 120_000;
const HEAD = 'pragma solidity ^0.8.30;\nimport {Arithmetic} from "contracts/libraries/Arithmetic.sol";\n';

if (isMainThread) await main();
else parentPort!.postMessage(check(workerData as string));

async function main(): Promise<void> {
  const options = optionsOf(
    {
      name: "scripts/bench model-check",
      summary: "What the Solidity compiler's model checker can prove of the libraries' arithmetic.",
      duration: `at most ${PATIENCE_MILLIS / 60_000} minutes for each of ${CLAIMS.length} claims`,
      needs: "nothing else",
    },
    {
      only: {
        type: "string",
        placeholder: "NAME",
        description: `check one claim: ${CLAIMS.map((c) => c.name).join(", ")}`,
      },
      json: JSON_FILE,
    },
  );
  const table = new Table({ head: ["claim", "says", "verdict", "seconds"], style: { head: [], border: [] } });
  const results: { readonly name: string; readonly verdict: Verdict; readonly seconds: number }[] = [];
  for (const { name, says, body } of CLAIMS.filter((claim) => !options.only || claim.name === options.only)) {
    const since = performance.now();
    const verdict = await within(PATIENCE_MILLIS, `${HEAD}contract Claim {\n${body}\n}`);
    const seconds = Math.round((performance.now() - since) / 1000);
    results.push({ name, verdict, seconds });
    table.push([name, says, verdict, seconds]);
  }
  console.log(table.toString());
  if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  const broken = results.filter(({ verdict }) => verdict === "error").map(({ name }) => name);
  if (broken.length > 0) throw new Error(`claims that do not compile: ${broken.join(", ")}`);
  const missed = CLAIMS.filter(
    ({ name, planted }) => planted && results.some((r) => r.name === name && r.verdict === "proved"),
  );
  if (missed.length > 0) throw new Error(`a planted fault was proved: ${missed.map(({ name }) => name).join(", ")}`);
}

/** The checker's own time limit does not work, so it runs in a thread that can be stopped. */
function within(millis: number, source: string): Promise<Verdict> {
  const worker = new Worker(new URL(import.meta.url), { workerData: source });
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      void worker.terminate();
      resolve("no answer in time");
    }, millis);
    const done = (verdict: Verdict) => {
      clearTimeout(timer);
      void worker.terminate();
      resolve(verdict);
    };
    worker.once("message", done);
    worker.once("error", () => done("error"));
  });
}

function check(source: string): Verdict {
  const solc = createRequire(import.meta.url)("solc") as {
    compile(input: string, callbacks: { import(path: string): { contents: string } }): string;
  };
  const input = {
    language: "Solidity",
    sources: { "Claim.sol": { content: source } },
    settings: {
      modelChecker: { engine: "chc", targets: ["assert"], contracts: { "Claim.sol": ["Claim"] }, showUnproved: true },
      outputSelection: { "*": { "*": [] } },
    },
  };
  const read = (path: string) => ({ contents: readFileSync(new URL(`../${path}`, import.meta.url), "utf8") });
  const { errors = [] } = JSON.parse(solc.compile(JSON.stringify(input), { import: read })) as {
    errors?: { severity: string; message: string }[];
  };
  const says = (pattern: RegExp) => errors.some(({ message }) => pattern.test(message));
  if (errors.some(({ severity }) => severity === "error")) return "error";
  if (says(/Assertion violation happens/)) return "refuted";
  if (says(/Assertion violation might happen/)) return "not decided";
  return says(/proved safe|check is safe/) ? "proved" : "not decided";
}
