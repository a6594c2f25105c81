/**
 * Raw JSON-RPC in batches, for the audit: it reads more than a client's decoders can handle, and checks every answer
 * itself. Nothing is decoded here.
 */
import { EphemeshError } from "../model/errors.ts";
import { printable } from "../model/printable.ts";

export interface RpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

const ANSWER_MILLIS = 60_000;

export class JsonRpc {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async call(method: string, ...params: readonly unknown[]): Promise<unknown> {
    const [result] = await this.batch([{ method, params }]);
    return result;
  }

  /** Results in the order of the calls. @throws EphemeshError RPC_UNREACHABLE, RPC_REFUSED, RPC_MALFORMED */
  async batch(calls: readonly RpcCall[]): Promise<unknown[]> {
    if (calls.length === 0) return [];
    const answers = await this.#post(calls.map((call, id) => ({ jsonrpc: "2.0", id, ...call })));
    const results = new Map<unknown, unknown>();
    for (const answer of Array.isArray(answers) ? answers : [answers]) {
      if (typeof answer !== "object" || answer === null) throw malformed(this.url, "an answer is not an object");
      const { id, result, error } = answer as { id?: unknown; result?: unknown; error?: { message?: unknown } };
      if (error)
        throw new EphemeshError(
          "RPC_REFUSED",
          `The RPC node ${this.url} refuses ${typeof id === "number" ? calls[id]?.method : "the call"}: ${printable(String(error.message))}.`,
          "Ask another node; for an old block it must be one that keeps the state of that block (an archive node).",
        );
      results.set(id, result);
    }
    return calls.map(({ method }, id) => {
      if (!results.has(id)) throw malformed(this.url, `${method} has no answer`);
      return results.get(id);
    });
  }

  async #post(body: unknown): Promise<unknown> {
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_MILLIS),
      });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return await response.json();
    } catch (cause) {
      const reason = cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : "";
      throw new EphemeshError(
        "RPC_UNREACHABLE",
        `The RPC node ${this.url} does not answer: ${reason}.`,
        "Check the address and the network path to the node, or name another with --rpc.",
        { retryable: true, cause },
      );
    }
  }
}

export function malformed(url: string, reason: string): EphemeshError {
  return new EphemeshError(
    "RPC_MALFORMED",
    `The RPC node ${url} sent a malformed answer: ${printable(reason)}. Nothing was concluded from it.`,
    "Ask another node.",
  );
}
