/** Files of the form `{settlements: [{terms, facts, result}]}`. */
import { settleLease } from "../../agent/lease/settlement.ts";
import { compareFigures } from "./figures.ts";
import type { Call } from "./harness.ts";

interface Case {
  readonly name: string;
  readonly terms: Record<
    "lots" | "lotMbps" | "slots" | "buyerPrice" | "sellerPrice" | "price" | "bondShare" | "creditFee",
    string
  >;
  readonly facts: {
    readonly end: string;
    readonly covered: string;
    readonly available: string;
    readonly claims: readonly string[];
    readonly silent: "nobody" | "seller" | "buyer";
  };
  readonly result: Record<string, unknown>;
}

export interface SettlementFile {
  readonly settlements: readonly Case[];
}

export function isSettlementFile(file: unknown): file is SettlementFile {
  const cases = (file as Partial<SettlementFile> | null)?.settlements;
  return Array.isArray(cases) && cases.length > 0 && cases.every((c) => c.terms && c.facts && c.result);
}

export function settlementInTypeScript(file: SettlementFile): number {
  return file.settlements.reduce((count, c) => {
    const terms = Object.fromEntries(Object.entries(c.terms).map(([key, value]) => [key, BigInt(value)])) as Record<
      keyof Case["terms"],
      bigint
    >;
    const { end, covered, available, claims, silent } = c.facts;
    const facts = {
      end: BigInt(end),
      covered: BigInt(covered),
      available: BigInt(available),
      claims: claims.map(BigInt),
      silent,
    };
    return count + compareFigures(c.result, settleLease(terms, facts), `TypeScript: ${c.name}`);
  }, 0);
}

export async function settlementInSolidity(file: SettlementFile, call: Call): Promise<number> {
  let count = 0;
  for (const { name, terms, facts, result } of file.settlements) {
    const claims = facts.claims.map(BigInt).sort((a, b) => (a < b ? -1 : 1));
    const found = await call<Record<string, unknown>>("settle", [
      { ...terms, mbps: BigInt(terms.lots) * BigInt(terms.lotMbps) },
      {
        ...facts,
        claimed: claims.length > 0,
        lowerClaim: claims[0] ?? 0n,
        upperClaim: claims.at(-1) ?? 0n,
        silent: ["nobody", "seller", "buyer"].indexOf(facts.silent),
      },
    ]);
    count += compareFigures(result, found, `Solidity: ${name}`);
  }
  return count;
}
