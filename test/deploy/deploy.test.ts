/** The script as an operator runs it, against a chain of its own; its folder in deployments/ is removed afterwards. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createPublicClient, type Hex, http, parseAbi } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { buildContracts } from "../../deploy/artifacts.ts";
import type { Deployment } from "../../deploy/contracts.ts";
import { ChainNode } from "../../lab/chain/chain-node.ts";
import { unusedPort } from "../../lab/unused-port.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** No chain of an operator's: they are in deployments/ too. */
const CHAIN_ID = 2_000_000_000 + process.pid;
const TRANSACTIONS = 5;

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe("scripts/deploy", function () {
  this.timeout(60_000);
  const folder = join(root, "deployments", `chain-${CHAIN_ID}`);
  const secrets = mkdtempSync(join(tmpdir(), "ephemesh-deploy-"));
  const key = generatePrivateKey();
  const keyFile = secret("key", key);
  let node: ChainNode;

  before(async function () {
    this.timeout(600_000);
    await buildContracts();
    node = await ChainNode.start({ chainId: CHAIN_ID });
  });
  after(async () => {
    await node.stop();
    for (const made of [folder, secrets]) rmSync(made, { recursive: true, force: true });
  });

  function secret(name: string, text: string, mode = 0o600): string {
    const file = join(secrets, name);
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  }

  function start(args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
    const child = spawn(join(root, "scripts/deploy"), args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject).on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
    });
    return { child, ended };
  }
  const deploy = (...args: string[]) =>
    start(["--rpc", node.rpcUrl, "--key", keyFile, "--constants", "embedded", ...args]).ended;
  const sent = async (block: "latest" | "pending" = "latest") =>
    Number(await node.request("eth_getTransactionCount", [privateKeyToAccount(key).address, block]));
  const written = () => JSON.parse(readFileSync(join(folder, "deployment.json"), "utf8")) as Deployment;

  it("a plan without a journal is made anew; killed with the first transaction pending, it leaves its plan", async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "plan.json"), "{");
    await node.request("evm_setAutomine", [false]);
    const { child, ended } = start(["--rpc", node.rpcUrl, "--key", keyFile, "--constants", "embedded"]);
    while ((await sent("pending")) === 0) assert.equal(child.exitCode, null);
    // With its children, as a power cut would.
    process.kill(-child.pid!, "SIGKILL");
    await ended;
    assert.equal(await sent(), 0);
    assert.ok(JSON.parse(readFileSync(join(folder, "plan.json"), "utf8")).parameters.auctionAddress);
    assert.ok(!existsSync(join(folder, "deployment.json")));
  });

  it("after the crash other options are refused, and nothing is sent", async () => {
    await node.request("evm_mine");
    await node.request("evm_setAutomine", [true]);
    const others = [
      ["--constants", "consortium"],
      ["--consortium", `0x${"12".repeat(20)}`],
      ["--token", `0x${"12".repeat(20)}`],
      ["--key", secret("other-key", generatePrivateKey())],
    ];
    for (const { exitCode, stderr } of await Promise.all(others.map((other) => deploy(...other)))) {
      assert.match(stderr, /^The deployment in \S+ was begun with other options: .*Nothing was sent\.\n {2}→ .*\n$/);
      assert.equal(exitCode, 1);
    }
    assert.equal(await sent(), 1);
  });

  it("after the crash the same command goes on and sends each transaction once", async () => {
    const { exitCode, stderr } = await deploy();
    assert.equal(exitCode, 0, stderr);
    assert.equal(await sent(), TRANSACTIONS);
    const plan = JSON.parse(readFileSync(join(folder, "plan.json"), "utf8"));
    assert.equal(written().auction, plan.parameters.auctionAddress);
  });

  it("deployment.json says what is on the chain", async () => {
    const { chainId, fromBlock, constants, ...addresses } = written();
    const client = createPublicClient({ transport: http(node.rpcUrl) });
    for (const address of Object.values(addresses)) assert.ok(await client.getCode({ address }), address);
    assert.deepEqual([chainId, fromBlock], [CHAIN_ID, 1]);
    const view = (address: Hex, name: string) =>
      client.readContract({
        address,
        abi: parseAbi([`function ${name}() view returns (address)`]),
        functionName: name,
      });
    const { auction, escrow, membership, reputation, token } = addresses;
    assert.deepEqual(
      [await view(auction, "escrow"), await view(auction, "membership"), await view(escrow, "auction")],
      [escrow, membership, auction],
    );
    assert.deepEqual([await view(escrow, "token"), await view(escrow, "reputation")], [token, reputation]);
    assert.equal(constants.auction.urgentBlocks, 5);
  });

  it("asked again it sends nothing", async () => {
    const before = await sent();
    const { exitCode, stdout } = await deploy();
    assert.match(
      stdout,
      new RegExp(`^chain ${CHAIN_ID} has its deployment: .*deployment\\.json; nothing was sent\\.\n$`),
    );
    assert.deepEqual([exitCode, await sent()], [0, before]);
  });

  it("a chain that was started anew under the same id is named", async () => {
    const anew = await ChainNode.start({ chainId: CHAIN_ID });
    try {
      const { exitCode, stderr } = await deploy("--rpc", anew.rpcUrl);
      assert.match(
        stderr,
        /^\S+deployment\.json names contracts that are not on this chain\. Nothing was sent\.\n {2}→ .*\n$/,
      );
      assert.equal(exitCode, 1);
    } finally {
      await anew.stop();
    }
  });

  describe("names what is wrong in one line and what to do in the next", () => {
    const good = ["--rpc", "http://127.0.0.1:1", "--key", keyFile];
    const cases: [name: string, args: string[], says: RegExp, exitCode: number][] = [
      ["no --rpc", ["--key", keyFile], /^--rpc is missing\./, 2],
      ["no --key", ["--rpc", "http://127.0.0.1:1"], /^--key is missing\./, 2],
      ["an RPC address that is no URL", [...good, "--rpc", "127.0.0.1:8545"], /^--rpc 127\.0\.0\.1:8545 is not an/, 2],
      ["an option that does not exist", [...good, "--chain", "1"], /^Unknown option '--chain'\./, 2],
      ["constants that do not exist", [...good, "--constants", "fast"], /^--constants fast is neither/, 2],
      [
        "a consortium that is no address",
        [...good, "--consortium", "0x12"],
        /^--consortium 0x12 is not an address\./,
        2,
      ],
      ["a token that is no address", [...good, "--token", "EMC"], /^--token EMC is not an address\./, 2],
      ["a key file that does not exist", [...good, "--key", "/nowhere/key"], /\/nowhere\/key cannot be read/, 1],
      ["a key file that others can read", [...good, "--key", secret("open", key, 0o644)], /can be read by others/, 1],
      ["a key file without a key", [...good, "--key", secret("bad", "0x12")], /^--key \S+ does not hold a key/, 2],
    ];
    for (const [name, args, says, expected] of cases)
      it(name, async () => {
        const { exitCode, stdout, stderr } = await start(args).ended;
        assert.match(stderr, says);
        assert.match(stderr, /^.+\n {2}→ .+\n$/);
        assert.deepEqual([exitCode, stdout], [expected, ""]);
      });

    it("an RPC node that does not answer", async () => {
      const rpc = `http://127.0.0.1:${await unusedPort()}`;
      const { exitCode, stderr } = await start(["--rpc", rpc, "--key", keyFile]).ended;
      assert.equal(
        stderr,
        `No RPC node answers at ${rpc}. Nothing was sent.\n  → Check --rpc and that the node runs.\n`,
      );
      assert.equal(exitCode, 1);
    });
  });
});
