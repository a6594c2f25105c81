import { createRequire } from "node:module";
import hardhatToolbox from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { defineConfig } from "hardhat/config";

const { resolve } = createRequire(import.meta.url);
/** scripts/test sets it, `--long` higher. */
const fuzzRuns = Number(process.env.EPHEMESH_FUZZ_RUNS ?? 256);

export default defineConfig({
  plugins: [hardhatToolbox],
  solidity: {
    version: "0.8.37",
    /** The compiler of the pinned npm package: nothing is fetched, and everyone builds the same bytes. */
    path: resolve("solc/soljson.js"),
    npmFilesToBuild: ["@openzeppelin/contracts/access/manager/AccessManager.sol"],
    // The bytes do not change with a comment.
    settings: {
      metadata: { bytecodeHash: "none" },
      viaIR: true,
      optimizer: { enabled: true, runs: 200 },
      evmVersion: "cancun",
      // Where the audit finds what it proves in the contracts' storage.
      outputSelection: { "*": { "*": ["storageLayout"] } },
    },
  },
  paths: { sources: "./contracts", tests: { mocha: "./test/contracts", solidity: "./test/contracts" }, ignition: "." },
  networks: {
    default: { type: "edr-simulated", chainType: "l1" },
    /** scripts/deploy says which node, by which key. */
    target: { type: "http", url: "http://127.0.0.1:8545" },
  },
  typechain: { dontOverrideCompile: true },
  test: { solidity: { fuzz: { runs: fuzzRuns }, invariant: { runs: 16, depth: 100, failOnRevert: true } } },
});
