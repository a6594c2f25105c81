import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { clearingInSolidity, clearingInTypeScript, isClearingFile } from "./clearing.ts";
import { compareFigures } from "./figures.ts";
import { type Call, parityHarness } from "./harness.ts";
import { isReputationFile, reputationInSolidity, reputationInTypeScript } from "./reputation.ts";
import { isSettlementFile, settlementInSolidity, settlementInTypeScript } from "./settlement.ts";
import { isSigningFile, signingInSolidity, signingInTypeScript } from "./signing.ts";

const folders = [fileURLToPath(new URL("../vectors", import.meta.url)), process.env.EPHEMESH_VECTORS].filter(
  (f): f is string => !!f,
);

describe("Parity: Solidity and TypeScript reproduce every figure of the vectors", function () {
  this.timeout(120_000);
  let call: Call;
  before(async function () {
    // It compiles the contracts on a fresh clone.
    this.timeout(600_000);
    call = await parityHarness();
  });

  for (const folder of folders) {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));
    it(`${folder} has files`, () => expect(files).to.not.deep.equal([]));
    for (const name of files)
      it(name, async () => {
        const { typeScript, solidity } = await figuresOf(JSON.parse(readFileSync(`${folder}/${name}`, "utf8")), call);
        console.log(`      ${name}: ${typeScript} figures equal in TypeScript, ${solidity} in Solidity`);
        expect(Math.min(typeScript, solidity)).to.be.greaterThan(0);
      });
  }

  it("an unknown or empty file is refused", async () => {
    for (const file of [
      null,
      {},
      [],
      { cases: [] },
      { histories: [], constants: { fullBond: "1" } },
      { surprises: [1] },
    ])
      expect(await figuresOf(file, call).catch((error: Error) => error.message)).to.match(/^unknown or empty/);
  });

  it("a wrong figure, a missing one and a figure nobody computes are each found", () => {
    expect(compareFigures({ a: 1, b: ["2", 3n] }, { a: 1n, b: [2, "3"] }, "")).to.equal(3);
    expect(() => compareFigures({ a: 1 }, { a: 2 }, "x")).to.throw("x.a: expected 1, found 2");
    expect(() => compareFigures({ a: [1, 2] }, { a: [1] }, "x")).to.throw("x.a: 2 entries expected, found 1");
    expect(() => compareFigures({ a: 1 }, {}, "x")).to.throw("nothing was computed");
  });
});

async function figuresOf(file: unknown, call: Call): Promise<{ typeScript: number; solidity: number }> {
  if (isClearingFile(file))
    return { typeScript: clearingInTypeScript(file), solidity: await clearingInSolidity(file, call) };
  if (isReputationFile(file))
    return { typeScript: reputationInTypeScript(file), solidity: await reputationInSolidity(file, call) };
  if (isSettlementFile(file))
    return { typeScript: settlementInTypeScript(file), solidity: await settlementInSolidity(file, call) };
  if (isSigningFile(file))
    return { typeScript: signingInTypeScript(file), solidity: await signingInSolidity(file, call) };
  throw new Error("unknown or empty: no form of vectors that this test knows, or no figure in it");
}
