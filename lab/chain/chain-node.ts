/** The embedded chain: an anvil process on the loopback, or in the lab's core where every region reaches it. */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EphemeshError } from "../../agent/model/errors.ts";
import type { Lab } from "../lab.ts";
import { CORE_MANAGEMENT_ADDRESS } from "../layout/addressing.ts";
import { CORE } from "../layout/place.ts";
import { type ExitStatus, LabProcess } from "../process/lab-process.ts";
import { openRelay } from "../process/relay.ts";
import { unusedPort } from "../unused-port.ts";

export const CHAIN_ID = 7357;
const RPC_PORT = 8545;
const PACKAGES: Readonly<Record<string, string>> = {
  x64: "@foundry-rs/anvil-linux-amd64",
  arm64: "@foundry-rs/anvil-linux-arm64",
};

export interface ChainNodeOptions {
  /** Runs in this lab's core and is relayed to the loopback; absent: runs on the loopback. */
  readonly lab?: Lab;
  /** Port on the loopback; absent or 0: any unused port. */
  readonly port?: number;
  /** Unix second of the genesis block; absent: now. An earlier one leaves room for a history. */
  readonly genesisTimestamp?: number;
  /** Absent: `CHAIN_ID`. */
  readonly chainId?: number;
  /** Loaded if it exists; written every 2 s and at the end. */
  readonly stateFile?: string;
  readonly logFile?: string;
}

export class ChainNode {
  readonly chainId: number;
  /** For processes in the machine's own network. */
  readonly rpcUrl: string;
  /** For processes in the lab's routers and core; without a lab the same as `rpcUrl`. */
  readonly regionRpcUrl: string;
  readonly #process: LabProcess;

  private constructor(chainId: number, rpcUrl: string, regionRpcUrl: string, process: LabProcess) {
    this.chainId = chainId;
    this.rpcUrl = rpcUrl;
    this.regionRpcUrl = regionRpcUrl;
    this.#process = process;
  }

  /**
   * Starts the chain and returns when it answers. It mines a block for every transaction until `setBlockTime`.
   * @throws EphemeshError CHAIN_NODE_FAILED, CHAIN_NODE_MISSING, PORT_TAKEN
   */
  static async start(options: ChainNodeOptions = {}): Promise<ChainNode> {
    const { lab, chainId = CHAIN_ID } = options;
    const port = lab ? RPC_PORT : options.port || (await unusedPort());
    const host = lab ? "0.0.0.0" : "127.0.0.1";
    const args = [
      ...["--host", host, "--port", String(port), "--chain-id", String(chainId), "--accounts", "1"],
      // At a gas price of 0 no account needs the chain's own coin; the base fee stays 0 even if blocks are full.
      ...["--gas-price", "0", "--base-fee", "0", "--order", "fifo"],
      ...(options.genesisTimestamp === undefined ? [] : ["--timestamp", String(options.genesisTimestamp)]),
      ...(options.stateFile === undefined ? [] : ["--state", options.stateFile, "--state-interval", "2"]),
      ...(options.logFile === undefined ? ["--silent"] : []),
    ];
    const command = [anvilBinary(), ...args] as const;
    const output = { logFile: options.logFile ?? "/dev/null" };
    const process = lab ? lab.spawnIn(CORE, command, output) : new LabProcess(command, output);
    try {
      const relay = lab
        ? await openRelay(
            (inner) => lab.commandAt(CORE, inner),
            { host: CORE_MANAGEMENT_ADDRESS, port },
            { host: "127.0.0.1", port: options.port ?? 0 },
          )
        : { port };
      const rpcUrl = `http://127.0.0.1:${relay.port}`;
      const node = new ChainNode(chainId, rpcUrl, lab ? `http://${CORE_MANAGEMENT_ADDRESS}:${port}` : rpcUrl, process);
      await node.#ready(options.logFile);
      return node;
    } catch (error) {
      await process.stop(0);
      throw error;
    }
  }

  /** Mines a block every `seconds`; 0: for every transaction at once. */
  async setBlockTime(seconds: number): Promise<void> {
    await this.request("evm_setAutomine", [seconds === 0]);
    await this.request("evm_setIntervalMining", [seconds]);
  }

  /** One JSON-RPC call. @throws EphemeshError RPC_REFUSED */
  async request(method: string, params: readonly unknown[] = []): Promise<unknown> {
    const response = await fetch(this.rpcUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      signal: AbortSignal.timeout(10_000),
    });
    const answer = (await response.json()) as { result?: unknown; error?: { message: string } };
    if (answer.error) {
      throw new EphemeshError(
        "RPC_REFUSED",
        `The chain refused ${method}: ${answer.error.message}`,
        "Check the call's parameters.",
      );
    }
    return answer.result;
  }

  /** Ends the chain with SIGTERM, so that it writes its state file. */
  stop(): Promise<ExitStatus> {
    return this.#process.stop(5000);
  }

  /** Stops the process, which answers nothing until `resume`. */
  pause(): void {
    this.#process.signal("SIGSTOP");
  }

  resume(): void {
    this.#process.signal("SIGCONT");
  }

  /** Ends the chain with SIGKILL, like a power cut. */
  async kill(): Promise<ExitStatus> {
    this.#process.signal("SIGKILL");
    return this.#process.exited;
  }

  async #ready(logFile: string | undefined): Promise<void> {
    const deadline = performance.now() + 15_000;
    const ended = this.#process.exited.then(() => "ended" as const);
    while (performance.now() < deadline) {
      const answer = await Promise.race([ended, this.request("eth_chainId").catch(() => undefined)]);
      if (answer === "ended") break;
      if (Number(answer) === this.chainId) return;
      // No event tells when another process opens a port.
      await delay(10);
    }
    throw new EphemeshError(
      "CHAIN_NODE_FAILED",
      "The embedded chain did not start.",
      logFile === undefined ? "Start it with a log file to see the reason." : `See ${logFile}.`,
    );
  }
}

function anvilBinary(): string {
  const name = PACKAGES[process.arch] ?? "";
  try {
    return `${dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))}/bin/anvil`;
  } catch (cause) {
    throw new EphemeshError(
      "CHAIN_NODE_MISSING",
      `The embedded chain (anvil) is not installed, or does not exist for ${process.arch}.`,
      "Run `scripts/bootstrap node`.",
      { cause },
    );
  }
}
