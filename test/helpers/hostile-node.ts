/** An RPC node between the audit and a real one, which changes answers as a test says. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly method: string;
  readonly params: readonly unknown[];
}
/** The answer to give instead of the honest one. */
export type Lie = (asked: Asked, honest: unknown) => unknown;

export class HostileNode {
  readonly #server: Server;
  /** Set by each test. */
  lie: Lie = (_, honest) => honest;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async before(rpcUrl: string): Promise<HostileNode> {
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("end", async () => {
        const asked = JSON.parse(body) as (Asked & { id: number })[];
        const honest = await fetch(rpcUrl, { method: "POST", headers: { "content-type": "application/json" }, body });
        const answers = (await honest.json()) as { id: number; result?: unknown }[];
        const told = answers.map((answer) => {
          const question = asked.find(({ id }) => id === answer.id)!;
          return "result" in answer ? { ...answer, result: node.lie(question, answer.result) } : answer;
        });
        response.setHeader("content-type", "application/json").end(JSON.stringify(told));
      });
    });
    const node = new HostileNode(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
