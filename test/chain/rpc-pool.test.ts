import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { RpcRequestError } from "viem";
import { RpcPool } from "../../agent/chain/rpc-pool.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { ChainNode } from "../../lab/chain/chain-node.ts";
import { type Fault, RpcProxy } from "../faults/rpc-proxy.ts";

const hang: Fault = { kind: "hang" };

describe("several RPC nodes as one", function () {
  this.timeout(60_000);
  let node: ChainNode;
  let first: RpcProxy;
  let second: RpcProxy;

  before(async () => {
    node = await ChainNode.start();
  });
  after(() => node.kill());
  beforeEach(async () => {
    [first, second] = await Promise.all([RpcProxy.before(node.rpcUrl), RpcProxy.before(node.rpcUrl)]);
  });
  afterEach(() => {
    first.stop();
    second.stop();
  });

  const failure = async (pool: RpcPool, method = "eth_blockNumber", params: unknown[] = []): Promise<EphemeshError> => {
    const error = await pool.request(method, params).then(
      () => assert.fail("it answered"),
      (e: unknown) => e,
    );
    assert.ok(error instanceof EphemeshError, String(error));
    return error;
  };

  it("a first node that hangs is asked no more once the second has answered", async () => {
    const pool = new RpcPool([first.url, second.url]);
    first.plan = () => hang;
    await pool.request("eth_blockNumber", []);
    const before = first.asked.length;
    for (let i = 0; i < 5; i++) await pool.request("eth_blockNumber", []);
    assert.deepEqual([first.asked.length - before, second.asked.length], [0, 6]);
    assert.deepEqual(
      pool.states.map(({ isAnswering }) => isAnswering),
      [null, true],
    );
  });

  it("a node that fails three times in a row is left out, probed after a pause, and used again when it answers", async () => {
    let now = 1_000;
    const pool = new RpcPool([first.url, second.url], { nowMillis: () => now });
    first.plan = () => ({ kind: "disconnect" });
    second.plan = () => ({ kind: "disconnect" });
    for (let i = 0; i < 3; i++) await failure(pool);
    second.plan = () => null;
    await pool.request("eth_blockNumber", []);
    const asked = first.asked.length;
    await pool.request("eth_blockNumber", []);
    assert.equal(first.asked.length, asked);
    first.plan = () => null;
    now += 5_000;
    await pool.request("eth_blockNumber", []);
    while (pool.states[0]?.isAnswering !== true) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(pool.states[0]?.failures, 0);
    assert.equal(first.count("eth_blockNumber"), asked + 1);
  });

  it("what the node refuses about the call itself is its answer: no other node is asked", async () => {
    const pool = new RpcPool([first.url, second.url]);
    first.plan = () => ({ kind: "error", code: 3, message: "execution reverted" });
    await assert.rejects(pool.request("eth_call", [{}, "latest"]), RpcRequestError);
    assert.deepEqual([second.asked.length, pool.states[0]?.isAnswering], [0, true]);
  });

  for (const message of [
    "the method eth_getBlockReceipts does not exist/is not available",
    "transaction indexing is in progress",
    "header not found",
    "daily request limit exceeded",
  ])
    it(`"${message}" is no refusal: another node is asked`, async () => {
      const pool = new RpcPool([first.url, second.url]);
      first.plan = () => ({ kind: "error", code: -32_000, message });
      assert.match(String(await pool.request("eth_blockNumber", [])), /^0x/);
    });

  const causes: readonly (readonly [string, (proxy: RpcProxy) => Fault | null, string, RegExp])[] = [
    [
      "HTML",
      () => ({ kind: "text", contentType: "text/html", text: "<html>" }),
      "RPC_NOT_JSON",
      /is no RPC node.*text\/html/,
    ],
    ["401", () => ({ kind: "status", status: 401 }), "RPC_UNAUTHORISED", /refuses this agent \(HTTP 401\)/],
    ["a closed connection", () => ({ kind: "disconnect" }), "RPC_UNREACHABLE", /it ended the connection/],
    ["an answer to another question", () => ({ kind: "id", id: 999 }), "RPC_MALFORMED", /no answer of its id/],
    ["null", () => ({ kind: "text", contentType: "application/json", text: "null" }), "RPC_MALFORMED", /no object/],
    ["a text", () => ({ kind: "result", result: "latest" }), "RPC_MALFORMED", /eth_blockNumber/],
    ["no result", () => ({ kind: "result", result: undefined }), "RPC_MALFORMED", /no result/],
  ];
  for (const [what, fault, code, text] of causes)
    it(`${what} has a sentence of its own, which names the URL`, async () => {
      const pool = new RpcPool([first.url]);
      first.plan = () => fault(first);
      const error = await failure(pool);
      assert.equal(error.code, code);
      assert.match(error.message, text);
      assert.ok(error.message.includes(first.url), error.message);
      assert.match(pool.states[0]?.problem ?? "", text);
    });

  it("429 says when the node is asked again, and it is not asked before", async () => {
    let now = 1_000;
    const pool = new RpcPool([first.url, second.url], { nowMillis: () => now });
    first.plan = () => ({ kind: "status", status: 429, headers: { "retry-after": "7" } });
    await pool.request("eth_blockNumber", []);
    second.plan = () => ({ kind: "disconnect" });
    await failure(pool);
    assert.equal(first.asked.length, 1);
    assert.match(pool.states[0]?.problem ?? "", /asked again after 7 s/);
    now += 7_100;
    first.plan = () => null;
    second.plan = () => null;
    await pool.request("eth_blockNumber", []);
    while (first.asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
  });

  it("an unknown name, a closed port and a certificate that cannot be verified are told apart", async () => {
    const tls = createTlsServer();
    const tcp = createTcpServer((socket) => socket.end("not TLS\n"));
    for (const server of [tls, tcp]) {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }
    const port = (server: { address(): unknown }) => (server.address() as AddressInfo).port;
    try {
      for (const [url, text] of [
        ["http://no-such-host.invalid:8545", /host name/],
        ["http://127.0.0.1:1", /nothing listens there|bad port/],
        [`https://127.0.0.1:${port(tcp)}`, /TLS|SSL|wrong version/i],
      ] as const) {
        const error = await failure(new RpcPool([url]));
        assert.equal(error.code, "RPC_UNREACHABLE");
        assert.match(error.message, text);
      }
    } finally {
      tls.close();
      tcp.close();
    }
  });

  it("user name, password and query of a URL are used and never shown", async () => {
    const url = first.url.replace("http://", "http://user:secret@");
    const pool = new RpcPool([`${url}/?key=hidden`]);
    first.plan = () => ({ kind: "disconnect" });
    const error = await failure(pool);
    assert.doesNotMatch(`${error.message} ${JSON.stringify(pool.states)}`, /secret|hidden/);
  });

  const block = { number: "0x1", hash: `0x${"ab".repeat(32)}` };
  for (const [what, result] of [
    ["without a hash", { number: "0x0" }],
    ["that is {}", {}],
    ["that is a text", "block"],
    ["of another number", block],
  ] as const)
    it(`a block answer ${what} is malformed, and another node is asked`, async () => {
      const pool = new RpcPool([first.url, second.url]);
      first.plan = () => ({ kind: "result", result });
      const answer = (await pool.request("eth_getBlockByNumber", ["0x0", false])) as { number: string };
      assert.equal(answer.number, "0x0");
      assert.match(pool.states[0]?.problem ?? "", /malformed/);
    });

  it("a block that the node does not have is an answer", async () => {
    assert.equal(await new RpcPool([first.url]).request("eth_getBlockByNumber", ["0xffffff", false]), null);
  });
});
