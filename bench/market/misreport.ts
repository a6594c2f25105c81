/** What one trader that knows the whole book gains by a misreport: one false order, or several under several names. */
import type { Side } from "../../agent/auction/commitment.ts";
import { CAP, type Order, type Rule } from "./rules.ts";

export interface Gains {
  /** By another price or quantity. */
  readonly single: number;
  /** By two orders or a shill on either side, in addition to the best single order. */
  readonly more: number;
}

/** The gain of trader `who`, whose order in the book is truthful. */
export function bestMisreport(rule: Rule, book: readonly Order[], who: number): Gains {
  const truth = book[who]!;
  const others = book.filter((_, i) => i !== who);
  const worth = (mine: readonly Order[]) => utility(rule, truth, others, mine);
  const honest = worth([truth]);
  const prices = criticalPrices(book, truth);
  let single = honest;
  for (const price of prices)
    for (const lots of quantities(truth.lots)) single = Math.max(single, worth([{ ...truth, price, lots }]));
  let more = single;
  const near = nearest(prices, truth.price, 8);
  for (const price of near)
    for (const other of near) {
      for (let lots = 1; lots < truth.lots; lots++)
        more = Math.max(
          more,
          worth([
            { ...truth, price, lots },
            { ...truth, price: other, lots: truth.lots - lots },
          ]),
        );
      for (const side of ["bid", "ask"] as const)
        more = Math.max(more, worth([{ ...truth, price }, shill(truth, side, other)]));
    }
  return { single: single - honest, more: more - single };
}

/** An order under another name, without a score, that is only to move the price. */
function shill(truth: Order, side: Side, price: number): Order {
  return {
    ...truth,
    side,
    price,
    lots: 1,
    score: side === truth.side ? truth.score : 0,
    bps: side === truth.side ? truth.bps : side === "ask" ? 1000 : 0,
  };
}

/** Lots beyond what a buyer wants have no value; a lot that a seller does not have costs it the cap. */
function utility(rule: Rule, truth: Order, others: readonly Order[], mine: readonly Order[]): number {
  const { fills, money } = rule([...others, ...mine]);
  let [bought, sold, paid] = [0, 0, 0];
  mine.forEach(({ side }, i) => {
    const at = others.length + i;
    if (side === "bid") [bought, paid] = [bought + fills[at]!, paid + money[at]!];
    else [sold, paid] = [sold + fills[at]!, paid - money[at]!];
  });
  const buys = truth.side === "bid";
  const uses = buys ? Math.min(Math.max(0, bought - sold), truth.lots) * truth.price : 0;
  const delivers = Math.max(0, sold - bought);
  const able = buys ? 0 : Math.min(delivers, truth.lots);
  return uses - able * truth.price - (delivers - able) * CAP - paid;
}

/** Only a change of place in the order of prices matters, so prices to try are those of other orders and one unit to each side. */
function criticalPrices(book: readonly Order[], truth: Order): number[] {
  const own = 10_000 + truth.bps;
  const wanted = book.flatMap(({ price, bps }) => {
    const same = Math.floor((price * (10_000 + bps)) / own);
    return [same - 1, same, same + 1, same + 2];
  });
  const usable = wanted.filter((price) => price >= 1 && price <= CAP);
  return nearest([...new Set([truth.price, ...usable])], truth.price, 48);
}

function quantities(lots: number): number[] {
  return [...Array.from({ length: lots }, (_, i) => i + 1), lots + 1, 2 * lots];
}

function nearest(prices: readonly number[], to: number, count: number): number[] {
  return [...prices].sort((a, b) => Math.abs(a - to) - Math.abs(b - to)).slice(0, count);
}
