/** `ephemesh market clear`: clears a book of orders by the rule that the contract checks. Needs no chain. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import {
  buyerUnitUp,
  type Clearing,
  clearBook,
  handicapOf,
  maxBoost,
  type RevealedOrder,
  sellerUnitDown,
} from "../auction/clearing.ts";
import { type Overlap, overlapsOf } from "../auction/leases.ts";
import { EphemeshError } from "../model/errors.ts";
import { MAX_BOOST_BPS, MAX_SCORE } from "../model/market.ts";
import { printJson, printTable } from "./table.ts";

const whole = (least: number, most: number) => z.number().int().min(least).max(most);
const orderSchema = z
  .object({
    index: whole(0, 511).optional(),
    side: z.enum(["bid", "ask"]),
    price: whole(1, 2 ** 32 - 1),
    lots: whole(1, 1_000_000),
    score: whole(0, MAX_SCORE).default(0),
    boostBps: whole(0, MAX_BOOST_BPS).optional(),
    handicapBps: whole(0, 1000).optional(),
  })
  .strict();
const bookSchema = z
  .object({ name: z.string().optional(), cap: whole(1, 2 ** 32 - 1), orders: z.array(orderSchema).max(512) })
  .loose();

interface Book {
  readonly name: string;
  readonly cap: number;
  readonly orders: readonly RevealedOrder[];
}

interface Outcome {
  readonly name: string;
  readonly clearing: Clearing | null;
  readonly orders: readonly (RevealedOrder & { readonly fill: number; readonly unit: bigint | null })[];
  readonly leases: readonly Overlap[];
}

/** @param file one book `{cap, orders}`, or many as `{cases: […]}`; `-` is standard input. */
export function clearFile(file: string, options: { readonly json?: boolean }): void {
  const outcomes = booksOf(file, textOf(file)).map(outcomeOf);
  if (options.json) printJson({ books: outcomes.map(plain) });
  else for (const outcome of outcomes) show(outcome);
}

/** @throws EphemeshError BOOK_UNREADABLE, BOOK_NOT_JSON, BOOK_INVALID (every problem) */
export function booksOf(file: string, text: string): Book[] {
  const found = parsed(file, text);
  const cases =
    typeof found === "object" && found !== null && "cases" in found && Array.isArray(found.cases)
      ? found.cases
      : [found];
  if (cases.length === 0) throw invalid(file, ["cases: the list is empty"]);
  const problems: string[] = [];
  const books = cases.map((item, i): Book => {
    const place = cases.length > 1 ? `cases[${i}].` : "";
    const result = bookSchema.safeParse(item);
    if (!result.success) {
      problems.push(
        ...result.error.issues.map(({ path, message }) => `${place}${path.join(".") || "book"}: ${message}`),
      );
      return { name: "", cap: 1, orders: [] };
    }
    const { name = `book ${i + 1}`, cap, orders } = result.data;
    problems.push(...problemsOf(orders, cap).map((problem) => `${place}${problem}`));
    return { name, cap, orders: orders.map(revealed) };
  });
  if (problems.length > 0) throw invalid(file, problems);
  return books;
}

type OrderInFile = z.infer<typeof orderSchema>;

function revealed({ side, price, lots, score, boostBps, index }: OrderInFile, place: number): RevealedOrder {
  const bps = side === "ask" ? handicapOf(score) : (boostBps ?? 0);
  return { index: index ?? place, side, price, lots, score, bps };
}

/** Rules between fields. */
function problemsOf(orders: readonly OrderInFile[], cap: number): string[] {
  const seen = new Set<number>();
  return orders.flatMap((order, i) => {
    const { side, price, score, boostBps = 0, handicapBps, index = i } = order;
    const problems: string[] = [];
    if (seen.has(index)) problems.push(`index ${index} is used twice`);
    seen.add(index);
    if (price > cap) problems.push(`price ${price} is above the cap of ${cap}`);
    if (side === "ask" && boostBps > 0) problems.push("an ask has no boost");
    if (side === "bid" && boostBps > maxBoost(score))
      problems.push(`a score of ${score} allows a boost of ${maxBoost(score)}, not ${boostBps}`);
    if (handicapBps !== undefined && (side === "bid" || handicapBps !== handicapOf(score)))
      problems.push(
        side === "bid" ? "a bid has no handicap" : `the handicap of score ${score} is ${handicapOf(score)}`,
      );
    return problems.map((problem) => `orders.${i}: ${problem}`);
  });
}

function outcomeOf({ name, cap, orders }: Book): Outcome {
  const clearing = clearBook(orders, cap);
  const fills = clearing?.fills ?? new Map<number, number>();
  return {
    name,
    clearing,
    leases: overlapsOf(orders, fills),
    orders: orders.map((order) => {
      const fill = fills.get(order.index) ?? 0;
      if (!clearing || fill === 0) return { ...order, fill, unit: null };
      const { scaledPrice } = clearing;
      const unit = order.side === "bid" ? buyerUnitUp(scaledPrice, order.bps) : sellerUnitDown(scaledPrice, order.bps);
      return { ...order, fill, unit };
    }),
  };
}

/** Field names as in test/vectors/clearing.json; every figure is far below 2^53. */
function plain({ name, clearing, orders, leases }: Outcome) {
  if (!clearing) return { name, lotsTraded: 0 };
  return {
    name,
    lotsTraded: clearing.lotsTraded,
    scaledPrice: Number(clearing.scaledPrice),
    price: Number(clearing.price),
    scaledLow: Number(clearing.scaledLow),
    scaledHigh: Number(clearing.scaledHigh),
    marginalBid: clearing.certificate.bid,
    marginalAsk: clearing.certificate.ask,
    fills: orders.map(({ index, side, fill, unit }) => ({
      index,
      lots: fill,
      ...(unit === null ? {} : { [side === "bid" ? "unitPaid" : "unitReceived"]: Number(unit) }),
    })),
    leases: leases.map(({ ask, bid, lots }) => ({ seller: ask, buyer: bid, lots })),
  };
}

function show({ name, clearing, orders, leases }: Outcome): void {
  console.log(
    clearing
      ? `${name}: ${clearing.lotsTraded} lots at ${clearing.price} (scaled ${clearing.scaledPrice}, between ${clearing.scaledLow} and ${clearing.scaledHigh}), certificate (${clearing.certificate.bid}, ${clearing.certificate.ask}), ${leases.length} leases`
      : `${name}: nothing trades, certificate (none, none)`,
  );
  printTable(
    ["order", "side", "price", "lots", "score", "boost or handicap", "won", "pays or receives"],
    orders.map((o) => [
      o.index,
      o.side,
      o.price,
      o.lots,
      o.score,
      o.bps,
      o.fill,
      o.unit === null ? null : o.unit.toString(),
    ]),
  );
}

function textOf(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (cause) {
    throw new EphemeshError(
      "BOOK_UNREADABLE",
      `${file} cannot be read. Nothing was cleared.`,
      "Name an existing file.",
      {
        cause,
      },
    );
  }
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EphemeshError(
      "BOOK_NOT_JSON",
      `${file} is not JSON: ${reason}. Nothing was cleared.`,
      'Write {"cap": 10, "orders": [{"side": "bid", "price": 9, "lots": 2}, …]}; see docs/OPERATIONS.md.',
      { cause },
    );
  }
}

function invalid(file: string, problems: readonly string[]): EphemeshError {
  return new EphemeshError(
    "BOOK_INVALID",
    `${file} is not a valid book of orders. Nothing was cleared.\n${problems.map((problem) => `  ${problem}`).join("\n")}`,
    "Fix the lines above.",
  );
}
