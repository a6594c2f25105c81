/**
 * `ephemesh up`: runs meshd (root with CAP_NET_ADMIN only) and the agent (as its own user), and restarts each when it
 * dies. When meshd dies, its steering rules are removed first, so that traffic is on the standing peering
 * (ROUTING.md, section 6).
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import pino, { type Logger } from "pino";
import { EXIT } from "./cli/exit-codes.ts";
import { type Config, loadConfig, readSecret } from "./config.ts";
import { removeEverythingOfOurs, removeSteering } from "./meshd/kernel/cleanup.ts";
import { requireMachine } from "./meshd/kernel/requirements.ts";
import { backoff } from "./model/backoff.ts";
import { describeError, EphemeshError } from "./model/errors.ts";

/** The daemons hold little and run long: a small young generation and compact code save memory. */
const NODE_FLAGS = ["--max-semi-space-size=1", "--optimize-for-size", "--disable-warning=ExperimentalWarning"];
const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const MIN_PAUSE_MILLIS = 200;
const MAX_PAUSE_MILLIS = 10_000;
/** A process that ran this long is not in a crash loop: it is restarted at once, to miss no window of an auction. */
const STABLE_MILLIS = 3_000;
/** From SIGTERM to SIGKILL. */
const STOP_MILLIS = 8_000;
export const MESHD_NICE = -10;

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Runs until the signal, then removes everything of ours from the kernel.
 * @throws EphemeshError NOT_ROOT, UNKNOWN_USER, TOOL_MISSING, KERNEL_FEATURE_MISSING, ALREADY_UP, CANNOT_RUN (a process
 * cannot run with this configuration), CONFIG_…, SECRET_…
 */
export async function runUp(configFile: string, signal: AbortSignal): Promise<void> {
  const config = loadConfig(configFile);
  const log = pino({ level: config.log.level, base: { region: config.region, part: "up" } }, pino.destination(2));
  if (process.getuid?.() !== 0)
    throw new EphemeshError(
      "NOT_ROOT",
      "`ephemesh up` makes interfaces, so it must run as root. Nothing was started.",
      "Start it with the service manager or sudo; the agent itself runs without privileges.",
    );
  const owner = ownerOf(config.user);
  await requireMachine();
  const pidFile = prepareFolders(config, owner);
  for (const file of [config.keys.agent, config.keys.routing]) readSecret(file);

  const refusal = Promise.withResolvers<never>();
  refusal.promise.catch(() => undefined);
  const meshd = new SupervisedProcess(
    "meshd",
    () => withPriority(spawn(...spawnArguments("meshd", configFile, null))),
    log,
    {
      onRefused: refusal.reject,
      onDeath: () => removeSteering(),
    },
  );
  const agent = new SupervisedProcess("agent", () => spawn(...spawnArguments("agent", configFile, owner)), log, {
    onRefused: refusal.reject,
    onDeath: async () => undefined,
  });
  const reload = () => agent.kill("SIGHUP");
  process.on("SIGHUP", reload);
  try {
    meshd.start();
    agent.start();
    await Promise.race([refusal.promise, aborted(signal)]);
  } finally {
    process.off("SIGHUP", reload);
    await agent.stop();
    await meshd.stop();
    const removed = await removeEverythingOfOurs();
    log.info({ removed }, "stopped; nothing of ours is left");
    writeFileSync(pidFile, "");
  }
}

class SupervisedProcess {
  readonly #name: string;
  readonly #spawn: () => ChildProcess;
  readonly #log: Logger;
  readonly #hooks: { onRefused: (error: EphemeshError) => void; onDeath: () => Promise<unknown> };
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;
  /** Deaths in a row soon after the start. */
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
    // Not `exit`: it is not emitted when the process cannot be made.
    child.once("close", (code, killedBy) => void this.#onEnd(code, killedBy, performance.now() - startedAt));
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

  async #onEnd(code: number | null, killedBy: NodeJS.Signals | null, livedMillis: number): Promise<void> {
    if (this.#stopping) return;
    // If this fails, the next start of the process tries it again first.
    await this.#hooks.onDeath().catch((error: unknown) => this.#log.error({}, describeError(error)));
    if (code === EXIT.refused)
      return this.#hooks.onRefused(
        new EphemeshError(
          "CANNOT_RUN",
          `${this.#name} cannot run: see its message above. Both processes were stopped.`,
          "Fix the fault that it names; `ephemesh doctor` checks for others.",
        ),
      );
    this.#earlyDeaths = livedMillis > STABLE_MILLIS ? 0 : this.#earlyDeaths + 1;
    const restartInMillis = backoff(this.#earlyDeaths + 1, MIN_PAUSE_MILLIS, MAX_PAUSE_MILLIS);
    this.#log.warn({ code, killedBy, restartInMillis }, `${this.#name} died; it will be restarted`);
    this.#timer = setTimeout(() => this.start(), restartInMillis);
  }
}

/**
 * Arguments of `spawn`. meshd keeps one capability and the agent none, so that a break-in through the control channel
 * gains no privilege. Both get SIGTERM when this process dies; meshd then removes its steering rules. Without setpriv
 * (no util-linux) meshd keeps root's rights and neither gets the signal.
 */
function spawnArguments(
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
 * Raises meshd's priority (the tunnel processes inherit it): a probe that waits for the processor looks like a bad link.
 * Only when meshd is ready, because its start would delay the tunnels that already run.
 */
function withPriority(child: ChildProcess): ChildProcess {
  child.once("message", () => {
    try {
      if (child.pid !== undefined) setPriority(child.pid, MESHD_NICE);
    } catch {
      // A container may forbid it; meshd works without.
    }
  });
  return child;
}

/** Makes the folders with the owners that each process needs, and refuses a second `up` for the same region. */
export function prepareFolders(config: Config, owner: Owner | null): string {
  const { uid, gid } = owner ?? { uid: 0, gid: 0 };
  mkdirSync(config.stateDir, { recursive: true });
  chownSync(config.stateDir, uid, gid);
  // meshd is root without CAP_DAC_OVERRIDE: its files must belong to root, and it must be able to pass the user's folder.
  chmodSync(config.stateDir, 0o711);
  mkdirSync(`${config.stateDir}/meshd`, { recursive: true, mode: 0o700 });
  chownSync(`${config.stateDir}/meshd`, 0, 0);
  mkdirSync(config.runDir, { recursive: true, mode: 0o2750 });
  chownSync(config.runDir, 0, gid);
  const pidFile = `${config.runDir}/up.pid`;
  const holder = existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : 0;
  if (holder > 0 && isUp(holder))
    throw new EphemeshError(
      "ALREADY_UP",
      `Region ${config.region} already runs (process ${holder}). Nothing was started.`,
      "Stop that process first, or set another runDir for this one.",
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
      `Run \`useradd --system ${user}\`, or correct \`user\` in the configuration.`,
    );
  return { uid: Number(uid), gid: Number(gid) };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
