/**
 * `ephemesh up`: runs meshd (root, but CAP_NET_ADMIN alone) and the agent (its own user), and starts again what dies.
 * It is the dead-man's switch as well: when meshd is gone, so are the steering rules, before anything else is done, and
 * traffic is on the standing peering (ROUTING.md, section 6).
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import pino, { type Logger } from "pino";
import { type Config, loadConfig, readSecret } from "./config.ts";
import { removeEverythingOfOurs, removeSteering } from "./meshd/kernel/cleanup.ts";
import { requireMachine } from "./meshd/kernel/requirements.ts";
import { backoff } from "./model/backoff.ts";
import { describeError, EphemeshError } from "./model/errors.ts";

/** A child that ends with this has said what is wrong; starting it again would say the same. */
export const EXIT_REFUSED = 6;

/** The two daemons hold little and live long: a small young generation and compact code keep them small. */
const NODE_FLAGS = ["--max-semi-space-size=1", "--optimize-for-size", "--disable-warning=ExperimentalWarning"];
const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const FIRST_PAUSE_MILLIS = 200;
const MAX_PAUSE_MILLIS = 10_000;
/** A child that lived this long is no loop of crashes: it is missed by an auction's windows, so it starts again at once. */
const STEADY_MILLIS = 3_000;
const STOP_MILLIS = 8_000;
export const MESHD_NICE = -10;

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** @throws EphemeshError NOT_ROOT, UNKNOWN_USER, TOOL_MISSING, KERNEL_FEATURE_MISSING, ALREADY_UP, and what the children refuse */
export async function runUp(configFile: string, signal: AbortSignal): Promise<void> {
  const config = loadConfig(configFile);
  const log = pino({ level: config.log.level, base: { region: config.region, part: "up" } }, pino.destination(2));
  if (process.getuid?.() !== 0)
    throw new EphemeshError(
      "NOT_ROOT",
      "`ephemesh up` makes interfaces and needs to be root. Nothing was started.",
      "Run it by the service manager or sudo; the agent itself runs unprivileged.",
    );
  const owner = ownerOf(config.user);
  await requireMachine();
  const pidFile = claim(config, owner);
  for (const file of [config.keys.agent, config.keys.routing]) readSecret(file);

  const refusal = Promise.withResolvers<never>();
  refusal.promise.catch(() => undefined);
  const meshd = new Supervised("meshd", () => withPriority(spawn(...daemon("meshd", configFile, null))), log, {
    onRefused: refusal.reject,
    onDeath: () => removeSteering(),
  });
  const agent = new Supervised("agent", () => spawn(...daemon("agent", configFile, owner)), log, {
    onRefused: refusal.reject,
    onDeath: async () => undefined,
  });
  const hangUp = () => agent.kill("SIGHUP");
  process.on("SIGHUP", hangUp);
  try {
    meshd.start();
    agent.start();
    await Promise.race([refusal.promise, aborted(signal)]);
  } finally {
    process.off("SIGHUP", hangUp);
    await agent.stop();
    await meshd.stop();
    const removed = await removeEverythingOfOurs();
    log.info({ removed }, "stopped; nothing of ours is left");
    writeFileSync(pidFile, "");
  }
}

class Supervised {
  readonly #name: string;
  readonly #spawn: () => ChildProcess;
  readonly #log: Logger;
  readonly #hooks: { onRefused: (error: EphemeshError) => void; onDeath: () => Promise<unknown> };
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;
  /** Deaths in a row of a child that had not run long. */
  #earlyDeaths = 0;

  constructor(
    name: string,
    spawnChild: () => ChildProcess,
    log: Logger,
    hooks: { onRefused: (error: EphemeshError) => void; onDeath: () => Promise<unknown> },
  ) {
    this.#name = name;
    this.#spawn = spawnChild;
    this.#log = log;
    this.#hooks = hooks;
  }

  start(): void {
    const startedAt = performance.now();
    const child = this.#spawn();
    this.#child = child;
    child.once("error", (error) => this.#log.error({ err: error }, `${this.#name} cannot be started`));
    // Not `exit`, which does not come where the process could not even be made.
    child.once("close", (code, killedBy) => void this.#ended(code, killedBy, performance.now() - startedAt));
  }

  kill(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_MILLIS);
    await gone;
    clearTimeout(late);
  }

  async #ended(code: number | null, killedBy: NodeJS.Signals | null, livedMillis: number): Promise<void> {
    if (this.#stopping) return;
    // Should it fail, the next start does the same first, and ends where it cannot: so it is tried again and again.
    await this.#hooks.onDeath().catch((error: unknown) => this.#log.error({}, describeError(error)));
    if (code === EXIT_REFUSED)
      return this.#hooks.onRefused(
        new EphemeshError(
          "CANNOT_RUN",
          `${this.#name} cannot run; its message stands above. Nothing is left running.`,
          "Fix what it names; `ephemesh doctor` checks the rest as well.",
        ),
      );
    this.#earlyDeaths = livedMillis > STEADY_MILLIS ? 0 : this.#earlyDeaths + 1;
    const againInMillis = backoff(this.#earlyDeaths + 1, FIRST_PAUSE_MILLIS, MAX_PAUSE_MILLIS);
    this.#log.warn({ code, killedBy, againInMillis }, `${this.#name} died; it is started again`);
    this.#timer = setTimeout(() => this.start(), againInMillis);
  }
}

/**
 * meshd keeps one capability, the agent none, whoever their user is: a break-in through the control channel reaches
 * no privilege. Both are told to end when this process dies, however it dies: meshd then takes the steering away
 * itself. Where setpriv is missing (no util-linux) meshd keeps root's rights and neither hears of that death.
 */
function daemon(
  name: "agent" | "meshd",
  configFile: string,
  owner: Owner | null,
): [string, string[], { stdio: StdioOptions }] {
  const run = [process.execPath, ...NODE_FLAGS, MAIN, name, "--config", configFile];
  const stdio = {
    stdio: ["ignore", "inherit", "inherit", ...(name === "meshd" ? ["ipc" as const] : [])] as StdioOptions,
  };
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find(existsSync);
  if (!setpriv) return [run[0]!, run.slice(1), { ...stdio, ...owner }];
  const keeps = name === "meshd" ? ",+net_admin" : "";
  const user = owner ? [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"] : [];
  return [
    setpriv,
    ["--pdeathsig=TERM", "--no-new-privs", `--inh-caps=-all${keeps}`, `--bounding-set=-all${keeps}`, ...user, ...run],
    stdio,
  ];
}

/**
 * Probes that wait for the processor look like a link that got worse; the tunnels' processes inherit it. Only once it
 * runs: its start is a lot of work, and must not make the tunnels wait that run already.
 */
function withPriority(child: ChildProcess): ChildProcess {
  child.once("message", () => {
    try {
      if (child.pid !== undefined) setPriority(child.pid, MESHD_NICE);
    } catch {
      // A container may forbid it; meshd works all the same.
    }
  });
  return child;
}

/** Makes the directories, owned as each process needs them, and refuses a second `up` for the same region. */
function claim(config: Config, owner: Owner | null): string {
  const { uid, gid } = owner ?? { uid: 0, gid: 0 };
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  chownSync(config.stateDir, uid, gid);
  // meshd is root without the right to pass files by: what it writes belongs to root.
  mkdirSync(`${config.stateDir}/meshd`, { recursive: true, mode: 0o700 });
  chownSync(`${config.stateDir}/meshd`, 0, 0);
  mkdirSync(config.runDir, { recursive: true, mode: 0o2750 });
  chownSync(config.runDir, 0, gid);
  const pidFile = `${config.runDir}/up.pid`;
  const holder = existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : 0;
  if (holder > 0 && isUp(holder))
    throw new EphemeshError(
      "ALREADY_UP",
      `Region ${config.region} is up already (process ${holder}). Nothing was started.`,
      "End that one first, or give this one a runDir of its own.",
    );
  writeFileSync(pidFile, String(process.pid));
  return pidFile;
}

function isUp(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("up");
  } catch {
    return false;
  }
}

function ownerOf(user: string | undefined): Owner | null {
  if (user === undefined) return null;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${user}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  if (uid === undefined || gid === undefined)
    throw new EphemeshError(
      "UNKNOWN_USER",
      `There is no user "${user}" on this machine. Nothing was started.`,
      `useradd --system ${user}, or correct \`user\`.`,
    );
  return { uid: Number(uid), gid: Number(gid) };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
