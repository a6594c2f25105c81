/** An RPC node between a client and a real one, which fails as a test says. */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What happens instead of an honest answer. */
export type Fault =
  | { readonly kind: "hang" }
  | { readonly kind: "disconnect" }
  | { readonly kind: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: "text"; readonly contentType: string; readonly text: string }
  | { readonly kind: "error"; readonly code: number; readonly message: string }
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "id"; readonly id: unknown };

/** Null: the honest answer. `honest` asks the real node. */
export type FaultPlan = (asked: Asked, honest: () => Promise<unknown>) => Fault | null | Promise<Fault | null>;

interface Request extends Asked {
  readonly id: unknown;
}

export class RpcProxy {
  readonly #server: Server;
  readonly #target: string;
  /** Set by each test. */
  plan: FaultPlan = () => null;
  /** Every call that came, oldest first. */
  readonly asked: Asked[] = [];

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("end", () => void this.#handle(body, response).catch(() => response.destroy()));
    });
  }

  static async before(target: string): Promise<RpcProxy> {
    const proxy = new RpcProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  count(method: string): number {
    return this.asked.filter((each) => each.method === method).length;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #handle(body: string, response: ServerResponse): Promise<void> {
    const parsed = JSON.parse(body) as Request | Request[];
    const requests = Array.isArray(parsed) ? parsed : [parsed];
    const answers: unknown[] = [];
    for (const request of requests) {
      this.asked.push({ method: request.method, params: request.params });
      const honest = () => this.#ask(request);
      const fault = await this.plan(request, async () => (await honest()).result);
      if (fault?.kind === "hang") return;
      if (fault?.kind === "disconnect") return void response.destroy();
      if (fault?.kind === "status") return void response.writeHead(fault.status, fault.headers).end();
      if (fault?.kind === "text")
        return void response.writeHead(200, { "content-type": fault.contentType }).end(fault.text);
      answers.push(await answerTo(request, fault, honest));
    }
    response
      .setHeader("content-type", "application/json")
      .end(JSON.stringify(Array.isArray(parsed) ? answers : answers[0]));
  }

  async #ask({ method, params, id }: Request): Promise<{ result?: unknown }> {
    const answer = await fetch(this.#target, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
    });
    return (await answer.json()) as { result?: unknown };
  }
}

async function answerTo(
  { id }: Request,
  fault: Fault | null,
  honest: () => Promise<{ result?: unknown }>,
): Promise<unknown> {
  const base = { jsonrpc: "2.0", id };
  if (fault?.kind === "error") return { ...base, error: { code: fault.code, message: fault.message } };
  if (fault?.kind === "result") return { ...base, result: fault.result };
  if (fault?.kind === "id") return { ...(await honest()), id: fault.id };
  return honest();
}
