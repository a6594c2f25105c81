/** A region's agent as its operator runs it: a process of its own, whose log and arguments can be searched. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { type Agent, eventually } from "../../coordinator/helpers/agents.ts";

const MAIN = new URL("../../../agent/main.ts", import.meta.url).pathname;

export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

type Settings = Record<string, unknown> & {
  readonly control: { readonly listen: string };
  readonly api: { readonly listen: string; readonly tokenFile: string };
  readonly chain: Record<string, unknown>;
  readonly keys: { readonly agent: string; readonly routing: string };
};

export class AgentProcess {
  readonly configFile: string;
  readonly token: string;
  /** Everything that it wrote to its log. */
  log = "";
  readonly #url: string;
  readonly #child: ChildProcess;

  private constructor(configFile: string) {
    this.configFile = configFile;
    const { api } = this.settings;
    this.#url = `http://${api.listen}`;
    this.token = readFileSync(api.tokenFile, "utf8").trim();
    this.#child = spawn(process.execPath, [MAIN, "agent", "--config", configFile], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
  }

  /** In place of the agent that runs in this process, beside the same meshd. */
  static async instead(agent: Agent, settings: Record<string, unknown>): Promise<AgentProcess> {
    await agent.stopAgent();
    const own = parse(readFileSync(agent.configFile, "utf8")) as Settings;
    writeFileSync(agent.configFile, stringify({ ...own, ...settings }));
    const started = new AgentProcess(agent.configFile);
    await eventually(`${agent.name} is ready`, async () => (await started.get("/readyz")).status === 200 || undefined);
    return started;
  }

  get settings(): Settings {
    return parse(readFileSync(this.configFile, "utf8")) as Settings;
  }

  /** Writes the configuration anew and sends SIGHUP. */
  reload(text: string): void {
    writeFileSync(this.configFile, text);
    this.#child.kill("SIGHUP");
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "close");
    this.#child.kill("SIGTERM");
    await ended;
  }

  get(path: string): Promise<Reply> {
    return this.#send(path, {});
  }

  /** @param token null: none */
  post(path: string, body: unknown, token: string | null = this.token): Promise<Reply> {
    return this.#send(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token !== null && { authorization: `Bearer ${token}` }) },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  /** What the stream sends from its beginning until the signal. */
  async stream(onText: (text: string) => void, signal: AbortSignal): Promise<void> {
    const response = await fetch(`${this.#url}/v1/stream?since=0`, { signal });
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) onText(chunk);
  }

  async #send(path: string, init: RequestInit): Promise<Reply> {
    const response = await fetch(`${this.#url}${path}`, { ...init, signal: AbortSignal.timeout(10_000) });
    return {
      status: response.status,
      type: response.headers.get("content-type") ?? "",
      text: await response.text(),
    };
  }
}

/** The arguments of this process and of all below it. */
export function argumentsOfChildren(): string {
  const parentOf = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)))
    try {
      parentOf.set(Number(name), Number(/\) . (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8"))?.[1]));
    } catch {
      // It ended meanwhile.
    }
  const isOurs = (pid: number): boolean => pid === process.pid || (parentOf.has(pid) && isOurs(parentOf.get(pid)!));
  return [...parentOf.keys()]
    .filter(isOurs)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        return "";
      }
    })
    .join("\n");
}
