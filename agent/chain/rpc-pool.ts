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

export interface RpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What is wrong with a call's result beyond its shape; null: nothing. */
export type ResultCheck = (result: unknown) => string | null;

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
   * The first sound answer of any node. An answer that fails `check` is malformed, and another node is asked.
   * @throws RpcRequestError where a node refuses the call itself; EphemeshError RPC_UNREACHABLE, RPC_MALFORMED,
   * RPC_UNAUTHORISED, RPC_RATE_LIMITED, RPC_NOT_JSON where none answers
   */
  async request(method: string, params: readonly unknown[], check?: ResultCheck): Promise<unknown> {
    const [result] = await this.requestBatch([{ method, params }], check);
    return result;
  }

  /** Results in the order of the calls, all from one node in one exchange. @throws as `request` */
  requestBatch(calls: readonly RpcCall[], check?: ResultCheck): Promise<readonly unknown[]> {
    this.#probePaused();
    return this.#race(this.#candidates(), calls, check ?? (() => null));
  }

  /** One answer of each node that is not paused, in no order; for what one answer must not decide. */
  async requestEach(method: string, params: readonly unknown[]): Promise<readonly unknown[]> {
    const asked = this.#candidates().map((node) => this.#ask(node, [{ method, params }], () => null));
    return (await Promise.allSettled(asked)).flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
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
      this.#ask(node, [{ method: "eth_blockNumber", params: [] }], () => null)
        .catch(() => undefined)
        .finally(() => {
          node.isProbed = false;
        });
    }
  }

  #race(nodes: readonly Node[], calls: readonly RpcCall[], check: ResultCheck): Promise<readonly unknown[]> {
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
        this.#ask(node, calls, check)
          .then(
            (results) => {
              clearTimeout(timer);
              waiting.length = 0;
              resolve(results);
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

  async #ask(node: Node, calls: readonly RpcCall[], check: ResultCheck): Promise<readonly unknown[]> {
    try {
      const results = await this.#post(node, calls);
      for (const [i, { method, params }] of calls.entries()) {
        const problem = problemOf(method, params, results[i]) ?? check(results[i]);
        if (problem) throw malformedAnswer(node.url, `${method}: ${problem}`);
      }
      this.#answered(node);
      for (const [i, call] of calls.entries()) noteHead(node, call, results[i]);
      return results;
    } catch (error) {
      if (isFinal(error)) this.#answered(node);
      else this.#failed(node, error);
      throw error;
    }
  }

  async #post(node: Node, calls: readonly RpcCall[]): Promise<readonly unknown[]> {
    const requests = calls.map((call) => ({ jsonrpc: "2.0", id: this.#nextId++, ...call }));
    const body = requests.length === 1 ? requests[0] : requests;
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
    const answers = new Map((Array.isArray(json) ? json : [json]).map((each: unknown) => [idOf(node, each), each]));
    return requests.map((request) => resultOf(node, request, answers.get(request.id) ?? answers.get(null)));
  }

  #answered(node: Node): void {
    const now = this.#nowMillis();
    if (node.isAnswering !== true) node.sinceMillis = now;
    Object.assign(node, { isAnswering: true, failures: 0, problem: null, pausedUntilMillis: 0, answeredAtMillis: now });
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

function noteHead(node: Node, { method, params }: RpcCall, result: unknown): void {
  if (method === "eth_blockNumber") node.headNumber = Number(result);
  if (method === "eth_getBlockByNumber" && params[0] === "latest")
    node.headNumber = Number((result as { number: string }).number);
}

function idOf(node: Node, answer: unknown): unknown {
  if (typeof answer !== "object" || answer === null) throw malformedAnswer(node.url, "the answer is no object");
  return (answer as { id?: unknown }).id;
}

/** Some servers answer an error that they cannot attribute with the id null. */
function resultOf(node: Node, request: RpcCall & { readonly id: number }, answer: unknown): unknown {
  if (!answer) throw malformedAnswer(node.url, `${request.method} has no answer of its id`);
  const { id, result, error } = answer as { id?: unknown; result?: unknown; error?: unknown };
  if (error) throw refusedCall(node.url, request, error);
  if (id !== request.id || result === undefined) throw malformedAnswer(node.url, `${request.method} has no result`);
  return result;
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

function refusedCall(url: string, body: RpcCall, error: unknown): RpcRequestError {
  const { code, message, data } = (typeof error === "object" ? error : {}) as {
    code?: unknown;
    message?: unknown;
    data?: unknown;
  };
  return new RpcRequestError({
    body: { ...body },
    url,
    error: {
      code: typeof code === "number" ? code : -32_000,
      message: printable(typeof message === "string" ? message : String(error)),
      data,
    },
  });
}
