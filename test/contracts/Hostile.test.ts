/** Malformed, zero, maximal and hostile values into every function of every contract, in every phase of a market. */
import { expect } from "chai";
import fc from "fast-check";
import { type Abi, type AbiFunction, type AbiParameter, encodeFunctionData, type Hex } from "viem";
import { capacityAuctionAbi } from "../../agent/chain/abi/capacity-auction.ts";
import { leaseEscrowAbi } from "../../agent/chain/abi/lease-escrow.ts";
import { membershipAbi } from "../../agent/chain/abi/membership.ts";
import { reputationAbi } from "../../agent/chain/abi/reputation.ts";
import { type ContractName, Market, refusalOf } from "./market.ts";

const ABIS = {
  auction: capacityAuctionAbi,
  escrow: leaseEscrowAbi,
  membership: membershipAbi,
  reputation: reputationAbi,
} as const satisfies Partial<Record<ContractName, Abi>>;
const ENUM_SIZES: Readonly<Record<string, number>> = { side: 2, kind: 4, profile: 2 };
const TRIES = 24;

describe("Hostile values", function () {
  this.timeout(120_000);
  let market: Market;
  before(async () => {
    market = await Market.create(3);
    const [one, two] = market.regions;
    // One auction in each phase, one of them with leases.
    const first = await market.open(one!);
    await market.trade(first, [
      { region: one!, side: "bid", price: 2_000, lots: 1 },
      { region: two!, side: "ask", price: 1_000, lots: 1 },
    ]);
    const second = await market.open(one!);
    await market.commit(second, { region: two!, side: "ask", price: 1_000, lots: 1 });
    await market.passPhase(second);
    const third = await market.open(two!);
    await market.commit(third, { region: one!, side: "bid", price: 1_000, lots: 1 });
  });

  for (const [name, abi] of Object.entries(ABIS))
    for (const entry of abi as readonly AbiFunction[])
      if (entry.type === "function")
        it(`${name}.${entry.name} answers or reverts with a named error, and never panics`, async () => {
          const callers = [market.consortium, market.region(1).treasury, market.region(1).agent];
          const samples = fc.sample(fc.tuple(fc.tuple(...entry.inputs.map(arbitraryOf)), fc.nat(2)), {
            numRuns: entry.inputs.length === 0 ? 1 : TRIES,
            seed: 7,
          });
          const ownErrors = abi.filter(({ type }) => type === "error").map((error) => (error as { name: string }).name);
          for (const [args, by] of samples) {
            const data = encodeFunctionData({ abi: [entry], functionName: entry.name, args });
            const to = market.deployment[name as ContractName];
            const refusal = await outcomeOf(market, callers[by]!.address, to, data);
            if (refusal !== null) expect(known(ownErrors), `${entry.name} ${printed(args)}`).to.include(refusal);
          }
        });

  it("an enumeration beyond its last value is refused before anything is read", async () => {
    const open = encodeFunctionData({
      abi: capacityAuctionAbi,
      functionName: "commit",
      args: [3, 1, 1, 1_000n, `0x${"11".repeat(32)}`],
    });
    const beyond = `${open.slice(0, 10 + 128)}${"02".padStart(64, "0")}${open.slice(10 + 192)}` as Hex;
    const { address } = market.region(1).agent;
    const answer = await market.client.call({ account: address, to: market.deployment.auction, data: beyond }).then(
      () => "answered",
      () => "refused",
    );
    expect(answer).to.equal("refused");
  });
});

/** Errors of the contract, of those that it calls, and of the libraries that both use. */
function known(own: readonly string[]): string[] {
  const all = Object.values(ABIS).flatMap((abi) => abi.flatMap((e) => (e.type === "error" ? [e.name] : [])));
  return [...own, ...all, "AccessManagedUnauthorized", "ERC20InsufficientAllowance", "ERC20InsufficientBalance"];
}

/** Null: the call succeeded. */
async function outcomeOf(market: Market, account: Hex, to: Hex, data: Hex): Promise<string | null> {
  return refusalOf(market.client.call({ account, to, data })).then(
    ({ name }) => name,
    (error: Error) => {
      if (error.message === "nothing was refused") return null;
      throw error;
    },
  );
}

/** Largest value of the type, zero, and values that exist. */
function arbitraryOf(parameter: AbiParameter): fc.Arbitrary<unknown> {
  const { type, name = "" } = parameter;
  if (type.endsWith("[]"))
    return fc.array(arbitraryOf({ ...parameter, type: type.slice(0, -2) } as AbiParameter), { maxLength: 3 });
  if (type === "tuple") {
    const { components } = parameter as { components: readonly AbiParameter[] };
    return fc.record(Object.fromEntries(components.map((c) => [c.name ?? "", arbitraryOf(c)])));
  }
  if (type === "bool") return fc.boolean();
  if (type === "string") return fc.constantFrom("", "ix-one", "x".repeat(300));
  if (type === "address")
    return fc.constantFrom(`0x${"00".repeat(20)}`, `0x${"ff".repeat(20)}`, `0x${"01".repeat(20)}`);
  if (type === "bytes") return fc.constantFrom("0x", "0x00", `0x${"ff".repeat(65)}`, `0x${"11".repeat(200)}`);
  if (type.startsWith("bytes")) return fc.constantFrom(`0x${"00".repeat(32)}`, `0x${"ff".repeat(32)}`);
  const size = ENUM_SIZES[name];
  if (size !== undefined && type === "uint8") return fc.nat(size - 1);
  const bits = Number(type.replace(/\D/g, ""));
  const signed = type.startsWith("int");
  const most = 2n ** BigInt(signed ? bits - 1 : bits) - 1n;
  const edges = [0n, 1n, 2n, 3n, most, most - 1n, most / 2n, ...(signed ? [-1n, -most - 1n] : [])];
  return fc.constantFrom(...edges).map((value) => (bits <= 48 ? Number(value) : value));
}

function printed(args: readonly unknown[]): string {
  return JSON.stringify(args, (_, value) => (typeof value === "bigint" ? value.toString() : value)).slice(0, 300);
}
