import { createRequire } from "node:module";
import hardhatToolbox from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { defineConfig } from "hardhat/config";

const { resolve } = createRequire(import.meta.url);
/** Runs of each fuzz test; scripts/test sets it. */
const fuzzRuns = Number(process.env.EPHEMESH_FUZZ_RUNS ?? 256);

export default defineConfig({
  plugins: [hardhatToolbox],
  solidity: {
    version: "0.8.37",
    /** The compiler of the pinned npm package: nothing is downloaded, and every build gives the same bytecode. */
    path: resolve("solc/soljson.js"),
    npmFilesToBuild: ["@openzeppelin/contracts/access/manager/AccessManager.sol"],
    // So that a comment does not change the bytecode.
    settings: {
      metadata: { bytecodeHash: "none" },
      viaIR: true,
      optimizer: { enabled: true, runs: 200 },
      evmVersion: "cancun",
      // scripts/generate-abi.ts reads where the audit's variables are stored.
      outputSelection: { "*": { "*": ["storageLayout"] } },
    },
  },
  paths: { sources: "./contracts", tests: { mocha: "./test/contracts", solidity: "./test/contracts" }, ignition: "." },
  networks: {
    default: { type: "edr-simulated", chainType: "l1" },
    /** scripts/deploy sets the node and the key. */
    target: { type: "http", url: "http://127.0.0.1:8545" },
  },
  typechain: { dontOverrideCompile: true },
  test: { solidity: { fuzz: { runs: fuzzRuns }, invariant: { runs: 16, depth: 100, failOnRevert: true } } },
});
