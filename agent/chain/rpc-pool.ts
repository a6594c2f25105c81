/**
 * Several RPC nodes as one. The node that answered last is asked first; where it does not answer within half a second,
 * the next one is asked as well, and the first sound answer counts. A node that fails three times in a row is left out
 * for a while and then tried again beside the others, so that one hanging URL delays nothing.
 */
import { RpcRequestError } from "viem";
import { EphemeshError } from "../model/errors.ts";
import { printable } from "../model/printable.ts";
import { monotonicMillis } from "../model/time.ts";
import { problemOf } from "./rpc-answers.ts";

const ANSWER_MILLIS = 4_000;
const NEXT_NODE_MILLIS = 500;
const FAILURES_UNTIL_PAUSE = 3;
const MIN_PAUSE_MILLIS = 1_000;
const MAX_PAUSE_MILLIS = 30_000;
/** What a node cannot tell now, or at all; another one may. */
const ASK_ANOTHER =
  /method .*(not (found|available|supported|exist)|does not exist)|transaction indexing is in progress|header not found|missing trie node|limit exceeded|too many requests|rate limit|try again later/i;

export interface NodeState {
  /** As shown: without user name, password and query. */
  readonly url: string;
  /** Null: not asked yet. */
  readonly isAnswering: boolean | null;
  /** CLOCK_MONOTONIC in milliseconds since which `isAnswering` holds. */
  readonly sinceMillis: number;
  /** In a row. */
  readonly failures: number;
  /** Of the last failure, while it does not answer. */
  readonly problem: string | null;
  /** The newest block that it named; null: none yet. */
  readonly headNumber: number | null;
}

interface Node extends NodeState {
  readonly target: string;
  answeredAtMillis: number;
  pausedUntilMillis: number;
  isProbed: boolean;
  isAnswering: boolean | null;
  sinceMillis: number;
  failures: number;
  problem: string | null;
  headNumber: number | null;
}

export interface RpcPoolOptions {
  readonly fetch?: typeof fetch;
  readonly nowMillis?: () => number;
}

export class RpcPool {
  readonly #nodes: readonly Node[];
  readonly #fetch: typeof fetch;
  readonly #nowMillis: () => number;
  #nextId = 1;

  constructor(urls: readonly string[], { fetch: post = fetch, nowMillis = monotonicMillis }: RpcPoolOptions = {}) {
    this.#fetch = post;
    this.#nowMillis = nowMillis;
    this.#nodes = urls.map((target) => ({
      target,
      url: shownUrl(target),
      answeredAtMillis: Number.NEGATIVE_INFINITY,
      pausedUntilMillis: 0,
      isProbed: false,
      isAnswering: null,
      sinceMillis: nowMillis(),
      failures: 0,
      problem: null,
      headNumber: null,
    }));
  }

  get states(): readonly NodeState[] {
    return this.#nodes.map(({ url, isAnswering, sinceMillis, failures, problem, headNumber }) => ({
      url,
      isAnswering,
      sinceMillis,
      failures,
      problem,
      headNumber,
    }));
  }

  /**
   * The first sound answer of any node.
   * @throws RpcRequestError where a node refuses the call itself; EphemeshError RPC_UNREACHABLE, RPC_MALFORMED,
   * RPC_UNAUTHORISED, RPC_RATE_LIMITED, RPC_NOT_JSON where none answers
   */
  request(method: string, params: readonly unknown[]): Promise<unknown> {
    this.#probePaused();
    return this.#race(this.#candidates(), method, params);
  }

  /** One answer of each node that is not paused, in no order; for what one answer must not decide. */
  async requestEach(method: string, params: readonly unknown[]): Promise<readonly unknown[]> {
    const answers = await Promise.allSettled(this.#candidates().map((node) => this.#ask(node, method, params)));
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  /** The last to answer first; paused ones only where no other is left. */
  #candidates(): Node[] {
    const ready = this.#nodes.filter((node) => node.pausedUntilMillis === 0);
    return (ready.length > 0 ? ready : [...this.#nodes]).toSorted(
      (a, b) => b.answeredAtMillis - a.answeredAtMillis || 0,
    );
  }

  #probePaused(): void {
    for (const node of this.#nodes) {
      if (node.pausedUntilMillis === 0 || node.isProbed || this.#nowMillis() < node.pausedUntilMillis) continue;
      node.isProbed = true;
      this.#ask(node, "eth_blockNumber", [])
        .catch(() => undefined)
        .finally(() => {
          node.isProbed = false;
        });
    }
  }

  #race(nodes: readonly Node[], method: string, params: readonly unknown[]): Promise<unknown> {
    const waiting = [...nodes];
    const errors: unknown[] = [];
    let running = 0;
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const startNext = (): void => {
        clearTimeout(timer);
        const node = waiting.shift();
        if (!node) {
          if (running === 0) reject(mostTelling(errors));
          return;
        }
        running += 1;
        if (waiting.length > 0) timer = setTimeout(startNext, NEXT_NODE_MILLIS);
        this.#ask(node, method, params)
          .then(
            (result) => {
              clearTimeout(timer);
              waiting.length = 0;
              resolve(result);
            },
            (error: unknown) => errors.push(error),
          )
          .finally(() => {
            running -= 1;
            if (errors.length > 0 && isFinal(errors.at(-1))) {
              clearTimeout(timer);
              waiting.length = 0;
              reject(errors.at(-1));
            } else startNext();
          });
      };
      startNext();
    });
  }

  async #ask(node: Node, method: string, params: readonly unknown[]): Promise<unknown> {
    try {
      const result = await this.#post(node, method, params);
      const problem = problemOf(method, params, result);
      if (problem) throw malformedAnswer(node.url, `${method}: ${problem}`);
      this.#answered(node, method, params, result);
      return result;
    } catch (error) {
      if (error instanceof RpcRequestError && !ASK_ANOTHER.test(error.details)) this.#answered(node, "", [], null);
      else this.#failed(node, error);
      throw error;
    }
  }

  async #post(node: Node, method: string, params: readonly unknown[]): Promise<unknown> {
    const id = this.#nextId++;
    const body = { jsonrpc: "2.0", id, method, params };
    const target = new URL(node.target);
    const credentials = target.username || target.password ? `${target.username}:${target.password}` : null;
    target.username = "";
    target.password = "";
    const answer = await this.#fetch(target, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(credentials
          ? { authorization: `Basic ${Buffer.from(decodeURIComponent(credentials)).toString("base64")}` }
          : {}),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MILLIS),
      redirect: "error",
    })
      .then(async (response) => ({ response, text: await response.text() }))
      .catch((cause: unknown) => {
        throw unreachable(node.url, cause);
      });
    const { response, text } = answer;
    const refusal = statusProblem(node.url, response);
    if (refusal) throw refusal;
    const json = parsed(text);
    if (json === undefined)
      throw response.ok
        ? notJson(node.url, response)
        : unreachable(node.url, new Error(`it answers HTTP ${response.status}`));
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw malformedAnswer(node.url, "the answer is no object");
    const { id: answeredId, result, error } = json as { id?: unknown; result?: unknown; error?: unknown };
    // Some servers answer an error that they could not attribute with the id null.
    if (answeredId !== id && !(error && answeredId === null))
      throw malformedAnswer(node.url, `the answer has the id ${printable(String(answeredId))} instead of ${id}`);
    if (error) throw refusedCall(node.url, body, error);
    if (result === undefined) throw malformedAnswer(node.url, `${method} has no result`);
    return result;
  }

  #answered(node: Node, method: string, params: readonly unknown[], result: unknown): void {
    const now = this.#nowMillis();
    if (node.isAnswering !== true) node.sinceMillis = now;
    Object.assign(node, { isAnswering: true, failures: 0, problem: null, pausedUntilMillis: 0, answeredAtMillis: now });
    if (method === "eth_blockNumber") node.headNumber = Number(result);
    if (method === "eth_getBlockByNumber" && params[0] === "latest")
      node.headNumber = Number((result as { number: string }).number);
  }

  #failed(node: Node, error: unknown): void {
    const now = this.#nowMillis();
    if (node.isAnswering !== false) node.sinceMillis = now;
    node.isAnswering = false;
    node.failures += 1;
    node.problem = error instanceof RpcRequestError ? error.details : (error as Error).message;
    const retryAfter = error instanceof EphemeshError ? error.retryAfterSeconds : null;
    const doublings = Math.min(10, node.failures - FAILURES_UNTIL_PAUSE);
    if (retryAfter !== null) node.pausedUntilMillis = now + Math.min(MAX_PAUSE_MILLIS, retryAfter * 1000);
    else if (doublings >= 0)
      node.pausedUntilMillis = now + Math.min(MAX_PAUSE_MILLIS, MIN_PAUSE_MILLIS * 2 ** doublings);
  }
}

/** A refusal of the call itself is an answer: the next node would give the same. */
function isFinal(error: unknown): boolean {
  return error instanceof RpcRequestError && !ASK_ANOTHER.test(error.details);
}

/** An answer tells more than silence. */
function mostTelling(errors: readonly unknown[]): unknown {
  return errors.find((error) => error instanceof RpcRequestError) ?? errors[0] ?? new Error("no node is configured");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function shownUrl(target: string): string {
  const url = new URL(target);
  return `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`;
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOTFOUND: "its host name is unknown",
  EAI_AGAIN: "its host name cannot be looked up now",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "it ended the connection",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to it",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its TLS certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its TLS certificate chain is self-signed",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its TLS certificate cannot be verified",
  CERT_HAS_EXPIRED: "its TLS certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its TLS certificate is for another name",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS",
  UND_ERR_SOCKET: "it ended the connection",
};

function unreachable(url: string, cause: unknown): EphemeshError {
  const inner = (cause as { cause?: { code?: string; message?: string } }).cause;
  const timedOut = (cause as Error).name === "TimeoutError";
  const reason = timedOut
    ? `no answer within ${ANSWER_MILLIS / 1000} s`
    : ((inner?.code ? CAUSES[inner.code] : undefined) ?? inner?.message ?? (cause as Error).message);
  return new EphemeshError(
    "RPC_UNREACHABLE",
    `The RPC node ${url} does not answer: ${reason}. Running leases go on; nothing new is started.`,
    "The agent tries it again by itself. Check chain.rpc and the network to the node; `ephemesh doctor` tries each URL.",
    { retryable: true, cause },
  );
}

function statusProblem(url: string, { status, headers }: Response): EphemeshError | null {
  if (status === 401 || status === 403)
    return new EphemeshError(
      "RPC_UNAUTHORISED",
      `The RPC node ${url} refuses this agent (HTTP ${status}). Nothing was sent.`,
      "Correct the credentials in chain.rpc, or ask the node's operator for access.",
      { retryable: true },
    );
  if (status !== 429) return null;
  const after = Number(headers.get("retry-after") ?? "1");
  const seconds = Number.isFinite(after) && after > 0 ? after : 1;
  return new EphemeshError(
    "RPC_RATE_LIMITED",
    `The RPC node ${url} is asked too often (HTTP 429); it is asked again after ${seconds} s.`,
    "Add another node to chain.rpc, or have the node's operator raise the limit.",
    { retryAfterSeconds: seconds },
  );
}

function notJson(url: string, { headers }: Response): EphemeshError {
  return new EphemeshError(
    "RPC_NOT_JSON",
    `${url} is no RPC node: it answers with ${printable(headers.get("content-type") ?? "no content type")}. Nothing was concluded from it.`,
    "Correct chain.rpc: a proxy or a web page answers there.",
    { retryable: true },
  );
}

function malformedAnswer(url: string, reason: string): EphemeshError {
  return new EphemeshError(
    "RPC_MALFORMED",
    `The RPC node ${url} gives a malformed answer: ${printable(reason)}. Nothing was concluded from it.`,
    "Another node is asked; if it stays, check what runs at that address.",
    { retryable: true },
  );
}

function refusedCall(url: string, body: { [x: string]: unknown }, error: unknown): RpcRequestError {
  const { code, message, data } = (typeof error === "object" ? error : {}) as {
    code?: unknown;
    message?: unknown;
    data?: unknown;
  };
  return new RpcRequestError({
    body,
    url,
    error: {
      code: typeof code === "number" ? code : -32_000,
      message: printable(typeof message === "string" ? message : String(error)),
      data,
    },
  });
}
