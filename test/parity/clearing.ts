/** Files of the form `{cases: [{orders, cap, result}]}`. */
import {
  budgetNeed,
  buyerUnitUp,
  clearBook,
  handicapOf,
  type RevealedOrder,
  sellerUnitDown,
} from "../../agent/auction/clearing.ts";
import { overlapsOf } from "../../agent/auction/leases.ts";
import { compareFigures } from "./figures.ts";
import type { Call } from "./harness.ts";

interface OrderInFile {
  readonly index: number;
  readonly side: "bid" | "ask";
  readonly price: number;
  readonly lots: number;
  readonly score: number;
  readonly boostBps?: number;
  readonly handicapBps?: number;
}

interface Case {
  readonly name: string;
  readonly orders: readonly OrderInFile[];
  readonly cap: number;
  readonly result: Record<string, unknown> & {
    readonly lotsTraded: number;
    readonly marginalBid?: number;
    readonly marginalAsk?: number;
  };
}

export interface ClearingFile {
  readonly cases: readonly Case[];
}

const NONE = 65_535;

/** As both implementations answer, before sums are taken. */
interface Answer {
  readonly lotsTraded: bigint | number;
  readonly scaledLow: bigint;
  readonly scaledHigh: bigint;
  readonly scaledPrice: bigint;
  readonly price: bigint;
  readonly marginalBid: number;
  readonly marginalAsk: number;
  readonly fills: readonly {
    lots: bigint;
    bps: number;
    unit: bigint;
    amount: bigint;
    rest: bigint;
    budgetReserved: bigint;
    budgetPays: bigint;
  }[];
  readonly leases: readonly { seller: number; buyer: number; lots: number }[];
}

export function isClearingFile(file: unknown): file is ClearingFile {
  const cases = (file as Partial<ClearingFile> | null)?.cases;
  return (
    Array.isArray(cases) &&
    cases.length > 0 &&
    cases.every((c) => Array.isArray(c.orders) && c.result !== undefined && c.cap !== undefined)
  );
}

export function clearingInTypeScript(file: ClearingFile): number {
  return file.cases.reduce(
    (count, c) =>
      count + compareFigures(c.result, resultOf(c, inTypeScript(c)), `TypeScript: ${c.name}`) + handicaps(c),
    0,
  );
}

export async function clearingInSolidity(file: ClearingFile, call: Call): Promise<number> {
  let count = 0;
  for (const c of file.cases)
    count += compareFigures(c.result, resultOf(c, await inSolidity(c, call)), `Solidity: ${c.name}`);
  return count;
}

function handicaps(c: Case): number {
  return c.orders.reduce(
    (count, o) =>
      o.handicapBps === undefined
        ? count
        : count + compareFigures(o.handicapBps, handicapOf(o.score), `${c.name}: order ${o.index}`),
    0,
  );
}

function inTypeScript(c: Case): Answer | null {
  const orders: RevealedOrder[] = c.orders.map((o) => ({
    ...o,
    bps: o.side === "ask" ? handicapOf(o.score) : (o.boostBps ?? 0),
  }));
  const clearing = clearBook(orders, c.cap);
  if (!clearing) return null;
  const { scaledPrice: p, price } = clearing;
  return {
    ...clearing,
    marginalBid: clearing.certificate.bid,
    marginalAsk: clearing.certificate.ask,
    fills: orders.map((o) => {
      const lots = BigInt(clearing.fills.get(o.index) ?? 0);
      const unit = o.side === "ask" ? sellerUnitDown(p, o.bps) : buyerUnitUp(p, o.bps);
      const whole = BigInt(o.price) * BigInt(o.lots);
      return {
        lots,
        bps: o.bps,
        unit,
        amount: lots * unit,
        rest: o.side === "ask" ? lots * (price - unit) : whole - lots * unit,
        budgetReserved: o.side === "ask" ? 0n : budgetNeed(o, c.cap) * BigInt(o.lots),
        budgetPays: o.side === "ask" ? 0n : lots * (price - unit),
      };
    }),
    leases: overlapsOf(orders, clearing.fills).map(({ ask, bid, lots }) => ({ seller: ask, buyer: bid, lots })),
  };
}

async function inSolidity(c: Case, call: Call): Promise<Answer | null> {
  const inputs = c.orders.map((o) => ({ ...o, side: o.side === "ask" ? 1 : 0, boostBps: o.boostBps ?? 0 }));
  // The contract checks a certificate: the file's own must pass, and where there is trade the empty one must not.
  const named = [c.result.marginalBid ?? NONE, c.result.marginalAsk ?? NONE] as const;
  type Outcome = {
    valid: boolean;
    lotsTraded: bigint;
    low: bigint;
    high: bigint;
    price: bigint;
    bid: bigint;
    ask: bigint;
  };
  const [outcome, price, fills] = await call<[Outcome, bigint, Answer["fills"]]>("clear", [inputs, c.cap, ...named]);
  compareFigures("true", outcome.valid, `Solidity: ${c.name}: the file's certificate`);
  if (outcome.lotsTraded === 0n) return null;
  const [empty] = await call<[Outcome]>("clear", [inputs, c.cap, NONE, NONE]);
  compareFigures("false", empty.valid, `Solidity: ${c.name}: the empty certificate`);
  const overlaps = await call<readonly { seller: bigint; buyer: bigint; lots: bigint }[]>("leases", [
    inputs,
    c.cap,
    ...named,
  ]);
  return {
    ...outcome,
    scaledLow: outcome.low,
    scaledHigh: outcome.high,
    scaledPrice: outcome.price,
    price,
    marginalBid: Number(outcome.bid),
    marginalAsk: Number(outcome.ask),
    fills,
    leases: overlaps.map(({ seller, buyer, lots }) => ({
      seller: Number(seller),
      buyer: Number(buyer),
      lots: Number(lots),
    })),
  };
}

/** In the words of the files. */
function resultOf(c: Case, answer: Answer | null): unknown {
  if (!answer) return { lotsTraded: 0 };
  const of = (side: "bid" | "ask") => answer.fills.filter((_, i) => c.orders[i]!.side === side);
  const sum = (values: readonly bigint[]) => values.reduce((a, b) => a + b, 0n);
  return {
    ...answer,
    buyersPay: sum(of("bid").map((f) => f.amount)),
    budgetsPay: sum(of("bid").map((f) => f.budgetPays)),
    sellersReceive: sum(of("ask").map((f) => f.amount)),
    poolReceives: sum(of("ask").map((f) => f.rest)),
    fills: answer.fills.map((f, i) => {
      const unit = f.lots === 0n ? 0n : f.unit;
      return c.orders[i]!.side === "ask"
        ? { index: i, lots: f.lots, unitReceived: unit, receives: f.amount, poolReceives: f.rest }
        : {
            index: i,
            lots: f.lots,
            unitPaid: unit,
            pays: f.amount,
            refund: f.rest,
            budgetReserved: f.budgetReserved,
            budgetPays: f.budgetPays,
          };
    }),
  };
}
