/** The agent process: puts the parts of one region together, starts them, and releases them in reverse. */
import { mkdirSync, readFileSync } from "node:fs";
import type { Server } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import pino from "pino";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { EventLog } from "./api/event-log.ts";
import { listenApi } from "./api/server.ts";
import { connectChain, loadDeployment } from "./chain/client.ts";
import { ChainClock } from "./chain/clock.ts";
import { decodeEvent } from "./chain/decode.ts";
import { ChainFollower } from "./chain/follower.ts";
import { ChainReads } from "./chain/reads.ts";
import { readRegister } from "./chain/register.ts";
import { RpcPool } from "./chain/rpc-pool.ts";
import { Sender } from "./chain/sender.ts";
import { type Config, loadConfig, meshdSocket, readSecret, withPolicyOf } from "./config.ts";
import { ControlClient } from "./control/client.ts";
import { EniListeners } from "./control/eni-listeners.ts";
import { LatencyTable } from "./control/latency.ts";
import { PeerVersions } from "./control/protocol-version.ts";
import { controlApp, listen } from "./control/server.ts";
import { answersOf } from "./coordinator/answers.ts";
import { Coordinator } from "./coordinator/coordinator.ts";
import { relayTransaction } from "./coordinator/handlers/relay.ts";
import type { Site } from "./coordinator/site.ts";
import { Journal } from "./journal/journal.ts";
import { MeshdClient } from "./meshd-client.ts";
import { backoff, withJitter } from "./model/backoff.ts";
import { describeError, EphemeshError } from "./model/errors.ts";
import type { RegionId } from "./model/ids.ts";
import { hostAndPort } from "./model/listen-address.ts";
import type { Register } from "./model/register.ts";

/** Runs until the signal. SIGHUP reads the policy again. */
export async function runAgent(configFile: string, signal: AbortSignal): Promise<void> {
  let config = loadConfig(configFile);
  const log = pino({ level: config.log.level, base: { region: config.region } }, pino.destination(2));
  const key = privateKeyToAccount(agentKey(config));
  const deployment = loadDeployment(config.chain.deployment);
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  const pool = new RpcPool(config.chain.rpc);
  const client = connectChain(pool, deployment);
  const chain = new ChainReads(client, deployment);
  const journal = Journal.open(`${config.stateDir}/journal.sqlite`);
  const closers: (() => void | Promise<void>)[] = [() => journal.close()];
  try {
    const bind = () => {
      journal.bindIdentity("chain", `${deployment.chainId} ${deployment.auction}`);
      journal.bindIdentity("region", config.region);
    };
    const kept = journal.register();
    // A kept register was read from the deployment that the journal belongs to.
    if (kept) bind();
    const read = () => readRegister(client, deployment, { region: config.region, agent: key.address });
    let register = await registerAtStart(read, kept, log, signal);
    const startedWithoutChain = register === kept;
    bind();
    const { self } = register;
    const useRegister = (now: Register): void => {
      register = now;
      try {
        journal.keepRegister(now);
      } catch (error) {
        // Only a start without the chain needs it.
        log.warn({}, describeError(error));
      }
    };
    const domain = { chainId: deployment.chainId, membership: deployment.membership };
    const agentKeyOf = (id: RegionId): Hex | null => register.regions.get(id)?.agentKey ?? null;
    const warn = (problem: EphemeshError) => log.warn({ code: problem.code }, describeError(problem));
    const meshd = new MeshdClient(meshdSocket(config), warn);
    const versions = new PeerVersions(warn);
    closers.push(() => meshd.close());
    const events = new EventLog();
    // Monotonic time means something only until the machine starts again.
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const clock = new ChainClock({
      load: () => journal.fixedTimes(boot),
      save: (second, millis) => journal.fixTime(boot, second, millis),
    });
    const site: Site = {
      get config() {
        return config;
      },
      get constants() {
        return register.constants;
      },
      self,
      key,
      deployment,
      chain,
      rpcNodes: () => pool.states,
      clock,
      sender: new Sender(client, key, journal, (raw) => relayTransaction(site, raw)),
      journal,
      control: new ControlClient(self, domain, key, agentKeyOf, () => coordinator.telemetry.enis, versions),
      latencies: new LatencyTable(),
      meshd,
      log,
      signal,
      world: () => coordinator.world,
      regions: () => register.regions,
      fabrics: () => register.fabrics,
      counters: () => coordinator.telemetry.counters,
      dispatch: (message) => coordinator.dispatch(message),
    };
    const decode = (entry: Parameters<typeof decodeEvent>[0]) =>
      decodeEvent(entry, {
        eventOfTransaction: (hash) => journal.transactionByHash(hash)?.event ?? null,
        fabricName: async (index) => {
          if (index >= register.fabrics.length) register = { ...register, fabrics: await chain.fabrics() };
          return register.fabrics[index] ?? "";
        },
        blockSeconds: (number) => chain.blockSeconds(number),
      });
    const beginWithChain = (now: Register): void => {
      useRegister(now);
      void site.sender.resume(signal).catch(() => undefined);
    };
    const follower = new ChainFollower(pool, deployment, journal, clock, config.chain.finalityDepth, decode);
    const coordinator = new Coordinator(site, {
      follower,
      checkChain: startedWithoutChain ? async () => beginWithChain(await read().catch(nodeBehind)) : null,
      refreshRegister: async () => useRegister({ ...register, ...(await chain.register()) }),
      onMessage: (message) => events.add(message),
      onEnis: (enis) => void eniListeners.follow(enis),
    });

    const refusedMessages = new Map<string, number>();
    const app = controlApp({
      self,
      domain,
      key,
      agentKeyOf,
      handlers: answersOf(site),
      versions,
      enis: () => coordinator.telemetry.enis,
      onRefused: (remote, error) => {
        refusedMessages.set(error.code, (refusedMessages.get(error.code) ?? 0) + 1);
        log.debug({ remote, code: error.code }, error.message);
      },
    });
    const control = await listen(app, hostAndPort(config.control.listen));
    closers.push(() => close(control));
    // One that listens on every address of IPv6 has these as well.
    const eniListeners = new EniListeners(app, ({ device }, error) => log.debug({ device }, error.message));
    closers.push(() => eniListeners.close());
    if (config.api) {
      const api = await listenApi(config.api, { site, coordinator, events, refusedMessages });
      closers.push(() => close(api));
    }
    const reload = () => {
      try {
        config = withPolicyOf(config, loadConfig(configFile));
        log.level = config.log.level;
        log.info("the policy was read again");
      } catch (error) {
        log.error(
          { code: error instanceof EphemeshError ? error.code : undefined },
          `the old policy stays: ${(error as Error).message}`,
        );
      }
    };
    process.on("SIGHUP", reload);
    closers.push(() => void process.off("SIGHUP", reload));
    if (!startedWithoutChain) beginWithChain(register);
    log.info({ self, block: coordinator.blockNumber }, `region ${config.region} is up`);
    await coordinator.run();
  } finally {
    for (const release of closers.reverse()) await release();
  }
}

function agentKey(config: Config): Hex {
  const text = readSecret(config.keys.agent);
  if (!/^0x[0-9a-f]{64}$/i.test(text))
    throw new EphemeshError(
      "KEY_MALFORMED",
      `${config.keys.agent} does not hold a key.`,
      "It must hold 0x and 64 hexadecimal digits; `ephemesh config keys` makes one.",
    );
  return text as Hex;
}

/** The chain had the contracts and this region before: a node without them is behind. @throws EphemeshError */
function nodeBehind(error: unknown): never {
  if (!(error instanceof EphemeshError && ["WRONG_CONTRACT", "UNKNOWN_REGION"].includes(error.code))) throw error;
  throw new EphemeshError(
    "CHAIN_BEHIND",
    `${error.message} It was there before: the node is behind.`,
    "The agent tries again. Wait until the node is synchronised, or name another one in chain.rpc.",
    {
      retryable: true,
      cause: error,
    },
  );
}

/** Where no node answers: the register that was kept, or without one, waits for a node. */
async function registerAtStart(
  read: () => Promise<Register>,
  kept: Register | null,
  log: pino.Logger,
  signal: AbortSignal,
): Promise<Register> {
  for (let failures = 1; ; failures++) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof EphemeshError && error.retryable)) throw error;
      log.warn({ code: error.code }, `${error.message}${kept ? " Leases that run are kept up." : ""}`);
      if (kept) return kept;
      await delay(withJitter(backoff(failures, 200, 10_000)), undefined, { signal });
    }
  }
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
