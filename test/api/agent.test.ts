import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { execa } from "execa";
import { privateKeyToAddress } from "viem/accounts";
import { stringify } from "yaml";
import { openApiDocument, ROUTES } from "../../agent/api/openapi.ts";
import {
  type AuctionAnswer,
  errorAnswer,
  type LoggedEvent,
  loggedEvent,
  type MeshAnswer,
  type StatusAnswer,
  type TriggerAnswer,
} from "../../agent/api/schemas.ts";
import { VERSION } from "../../agent/model/version.ts";
import type { Agent } from "../coordinator/helpers/agents.ts";
import { eventually, Regions } from "../coordinator/helpers/agents.ts";
import { AgentProcess, argumentsOfChildren, type Reply } from "./helpers/agent-process.ts";

const MAIN = new URL("../../agent/main.ts", import.meta.url).pathname;
const SERVER = new URL("../../agent/api/server.ts", import.meta.url);

/** Chosen so that the prices of a lot of 10 Mbit/s are numbers that nothing else has. */
const POLICY = {
  sell: { floorPrice: 4_379_120, reserveMbps: 50, perAuctionMbps: 80 },
  buy: { disaster: { maxPrice: 9_753_100, maxMbps: 600, budgetPerDay: 2_000_000_000 } },
  triggers: [{ on: "webhook", path: "/v1/triggers/first", event: "disaster" }],
  log: { level: "info" },
};
const PRICES = { buyer: "975310", seller: "437912" };

/** Two agents as processes, on a real chain; the meshd of each is real up to its socket. */
describe("the API of a running agent", function () {
  this.timeout(240_000);
  let regions: Regions;
  let buyer: AgentProcess;
  let seller: AgentProcess;
  /** What the stream of each has sent. */
  const streamed = { buyer: "", seller: "" };
  const ending = new AbortController();
  /** The arguments of every process below this one that was seen at any time. */
  const argv = new Set<string>();
  const sampleArguments = () => {
    for (const line of argumentsOfChildren().split("\n")) argv.add(line);
  };
  let sampling: NodeJS.Timeout;

  before(async () => {
    sampling = setInterval(sampleArguments, 100);
    regions = await Regions.start(2);
    const [first, second] = regions.agents as [Agent, Agent];
    buyer = await AgentProcess.instead(first, POLICY);
    seller = await AgentProcess.instead(second, { ...POLICY, buy: {}, triggers: [], log: { level: "debug" } });
    for (const [name, agent] of Object.entries({ buyer, seller }))
      void agent
        .stream((text) => {
          streamed[name as keyof typeof streamed] += text;
        }, ending.signal)
        .catch(() => undefined);
  });
  after(async () => {
    clearInterval(sampling);
    ending.abort();
    await Promise.all([buyer?.stop(), seller?.stop()]);
    await regions?.stop();
  });

  const read = async <T>(agent: AgentProcess, path: string): Promise<T> => JSON.parse((await agent.get(path)).text);
  const documented = (method: string, path: string) => ROUTES.find((r) => r.method === method && r.path === path)!;

  /** Of a documented status, with the documented type, and with no field that the schema does not have. */
  function conforms({ status, type, text }: Reply, route: (typeof ROUTES)[number]): void {
    const answer = route.answers[status];
    assert.ok(answer, `${route.method} ${route.path}: ${status} is not documented: ${text}`);
    const [, body] = answer;
    if (typeof body === "string") assert.ok(type.startsWith(body), type);
    else {
      const value: unknown = JSON.parse(text);
      assert.deepEqual(body.parse(value), value, `${route.method} ${route.path}`);
    }
  }

  async function everyAnswerConforms(agent: AgentProcess): Promise<void> {
    for (const route of ROUTES.filter(({ method, path }) => method === "get" && path !== "/v1/stream"))
      conforms(await agent.get(`${route.path}${route.query?.all ? "?all=1" : ""}`), route);
  }

  /** What tells whether anything was started or changed. */
  async function stateOf(agent: AgentProcess): Promise<unknown> {
    const { draining, meshes } = await read<StatusAnswer>(agent, "/v1/status");
    const events = await read<LoggedEvent[]>(agent, "/v1/events?since=0");
    return { draining, meshes: meshes.length, events: events.map(({ message }) => message.type) };
  }

  const POSTS = [
    ["/v1/triggers", { kind: "disaster", mbps: 10 }],
    ["/v1/triggers/first", { mbps: 10 }],
    ["/v1/drain", {}],
    ["/v1/down", {}],
  ] as const;

  it("every route of the server is in the document, and no other", async () => {
    const served = [...readFileSync(SERVER, "utf8").matchAll(/\bapp\.(get|post|put|patch|delete|all)\(\s*"([^"]+)"/g)];
    assert.ok(served.length > 10);
    const paths = Object.entries((openApiDocument() as { paths: Record<string, object> }).paths).flatMap(
      ([path, operations]) => Object.keys(operations).map((method) => `${method} ${path}`),
    );
    assert.deepEqual(
      served.map(([, method, path]) => `${method} ${path!.replace(/:(\w+)/g, "{$1}")}`).sort(),
      [...paths, "get /v1/openapi.json"].sort(),
    );
    assert.deepEqual(await read(buyer, "/v1/openapi.json"), JSON.parse(JSON.stringify(openApiDocument())));
  });

  it("each request that changes something is refused without the token, and nothing is done", async () => {
    const before = await stateOf(buyer);
    assert.deepEqual(
      POSTS.map(([path]) => path.replace("/first", "/{name}")),
      ROUTES.filter(({ method }) => method === "post").map(({ path }) => path),
      "each of them is tried",
    );
    for (const [path, body] of POSTS)
      for (const token of [null, "", "u".repeat(buyer.token.length), `${buyer.token}t`, buyer.token.slice(1)]) {
        const reply = await buyer.post(path, body, token);
        assert.equal(reply.status, 401, `${path} with ${token}`);
        assert.equal(errorAnswer.parse(JSON.parse(reply.text)).code, "NOT_AUTHORISED");
      }
    assert.equal((await buyer.post("/v1/drain", "{", null)).status, 401, "before its body is looked at");
    assert.deepEqual(await stateOf(buyer), before);
  });

  it("requests that are not valid say so, and change nothing", async () => {
    const before = await stateOf(buyer);
    for (const [path, body, status, code] of [
      ["/v1/triggers", { kind: "disaster" }, 400, "REQUEST_INVALID"],
      ["/v1/triggers", "{", 400, "REQUEST_INVALID"],
      ["/v1/triggers", { kind: "rollout", mbps: 10 }, 409, "TRIGGER_NO_POLICY"],
      ["/v1/triggers", { kind: "disaster", sizeBytes: 1, deadlineSeconds: 30, dryRun: true }, 200, undefined],
      ["/v1/triggers/first", {}, 400, "REQUEST_INVALID"],
      ["/v1/triggers/second", { mbps: 10 }, 404, "NOT_FOUND"],
      ["/v1/drain", { draining: "no" }, 400, "REQUEST_INVALID"],
      ["/v1/down", { key: "nothing" }, 404, "UNKNOWN_EVENT"],
    ] as const) {
      const reply = await buyer.post(path, body);
      assert.deepEqual([reply.status, JSON.parse(reply.text).code], [status, code], `${path} ${reply.text}`);
      conforms(reply, documented("post", path.replace(/\/(first|second)$/, "/{name}")));
    }
    assert.equal((await buyer.get("/v1/nothing")).status, 404);
    assert.deepEqual(await stateOf(buyer), before);
  });

  it("a dry run shows peers, terms, cost and routes; it starts nothing and costs nothing", async () => {
    const before = await stateOf(buyer);
    const address = privateKeyToAddress(readFileSync(buyer.settings.keys.agent, "utf8").trim() as `0x${string}`);
    const sent = await regions.node.request("eth_getTransactionCount", [address, "pending"]);
    const reply = await buyer.post("/v1/triggers", { kind: "disaster", mbps: 80, durationSeconds: 300, dryRun: true });
    conforms(reply, documented("post", "/v1/triggers"));
    assert.equal(reply.status, 200);
    const plan = JSON.parse(reply.text);
    assert.deepEqual(
      plan.peers.map((peer: { included: boolean }) => peer.included),
      [true],
    );
    assert.deepEqual([plan.bid.price, plan.bid.lots, plan.terms.slots], [Number(PRICES.buyer), 8, 5]);
    assert.equal(plan.maxCost, String(Number(PRICES.buyer) * 8 * 5));
    assert.ok(plan.routes.length > 0 && plan.interfaces.length === 1);
    assert.deepEqual(await stateOf(buyer), before);
    assert.equal(await regions.node.request("eth_getTransactionCount", [address, "pending"]), sent);
  });

  it("SIGHUP reads policy, webhooks and log level again; a configuration that is not valid changes nothing", async () => {
    const rollout = { kind: "rollout", mbps: 10, dryRun: true };
    assert.equal((await buyer.post("/v1/triggers", rollout)).status, 409);
    assert.ok(!buyer.log.includes('"level":20'));
    const good = readFileSync(buyer.configFile, "utf8");
    buyer.reload(good.replace("maxMbps", "maxMps"));
    await eventually("the refusal is logged", async () => buyer.log.includes("maxMps") || undefined);
    assert.equal((await buyer.post("/v1/triggers/first", {})).status, 400, "the webhook is still there");

    const settings = buyer.settings;
    buyer.reload(
      stringify({
        ...settings,
        buy: { ...POLICY.buy, rollout: POLICY.buy.disaster },
        triggers: [{ on: "webhook", path: "/v1/triggers/second", event: "disaster" }],
        log: { level: "debug" },
      }),
    );
    await eventually("the new webhook", async () => {
      return (await buyer.post("/v1/triggers/second", {})).status === 400 || undefined;
    });
    assert.equal((await buyer.post("/v1/triggers/first", { mbps: 10 })).status, 404);
    assert.equal((await buyer.post("/v1/triggers", rollout)).status, 200);
  });

  it("an event is the same for the same requestId, also at once, and each answer is as documented", async () => {
    const request = { mbps: 80, durationSeconds: 300, requestId: "once" };
    const replies = await Promise.all([1, 2, 3].map(() => buyer.post("/v1/triggers/second", request)));
    replies.push(await buyer.post("/v1/triggers", { ...request, kind: "disaster" }));
    const keys = replies.map((reply) => {
      assert.equal(reply.status, 202, reply.text);
      conforms(reply, documented("post", "/v1/triggers"));
      return (JSON.parse(reply.text) as TriggerAnswer).event.id;
    });
    assert.equal(new Set(keys).size, 1);
    assert.equal((await read<StatusAnswer>(buyer, "/v1/status")).meshes.length, 1);
  });

  it("no price of a sealed order leaves its agent before it is revealed", async () => {
    await eventually("both orders are sealed", async () => {
      const [auction] = await read<AuctionAnswer[]>(seller, "/v1/auctions");
      return (auction?.orders.length === 2 && auction.orders.every(({ price }) => price === null)) || undefined;
    });
    sampleArguments();
    const shown: Record<string, string> = { argv: [...argv].join("\n") };
    for (const [name, agent] of Object.entries({ buyer, seller })) {
      for (const { method, path } of ROUTES)
        if (method === "get" && path !== "/v1/stream") shown[`${name} ${path}`] = (await agent.get(path)).text;
      shown[`${name} log`] = agent.log;
      shown[`${name} stream`] = streamed[name as keyof typeof streamed];
    }
    for (const agent of [buyer, seller]) {
      const [auction] = await read<AuctionAnswer[]>(agent, "/v1/auctions");
      assert.ok(
        auction?.orders.every(({ price }) => price === null),
        "revealed too early for this test",
      );
      assert.deepEqual(auction?.ownOrder, { sealed: true });
    }
    for (const [where, text] of Object.entries(shown)) {
      assert.ok(text.length > 0, where);
      for (const price of Object.values(PRICES)) assert.ok(!text.includes(price), `${price} in ${where}`);
    }
  });

  it("metrics tell of chain, meshes, leases, links, drops and refusals, in base units", async () => {
    await eventually("the mesh runs", async () => {
      const [mesh] = await read<MeshAnswer[]>(buyer, "/v1/meshes");
      return (mesh?.phase === "running" && mesh.links.some(({ state }) => state === "up")) || undefined;
    });
    const { listen } = buyer.settings.control;
    const headers = { "content-type": "application/json" };
    await fetch(`http://${listen}/v1/control`, { method: "POST", headers, body: "{}" });
    const { text, type } = await buyer.get("/metrics");
    assert.match(type, /^text\/plain/);
    const value = (name: string) => Number(new RegExp(`^ephemesh_${name} (\\S+)$`, "m").exec(text)?.[1]);
    assert.equal(value("chain_reachable"), 1);
    assert.ok(value("chain_block") > 10);
    assert.equal(value('meshes\\{phase="running"\\}'), 1);
    assert.equal(value("leases_live"), 1);
    assert.equal(value('link_up\\{link="0x[0-9a-f]{8}",peer="2"\\}'), 1);
    assert.equal(value('link_round_trip_seconds\\{link="0x[0-9a-f]{8}",peer="2"\\}'), 0.001);
    assert.equal(value('link_received_bytes\\{link="0x[0-9a-f]{8}"\\}'), 0);
    assert.equal(value('link_dropped_packets\\{link="0x[0-9a-f]{8}",reason="unauthorised"\\}'), 3);
    assert.equal(value('refused_advertisements\\{mesh="1",reason="badSignature"\\}'), 1);
    assert.equal(value('refused_control_messages\\{code="CONTROL_MALFORMED"\\}'), 1);
    assert.ok(value("agent_process_resident_memory_bytes") > 1e6);
  });

  it("every answer is as documented while a mesh runs, and so is each event of the stream", async () => {
    for (const agent of [buyer, seller]) await everyAnswerConforms(agent);
    const events = streamed.buyer.split("\n").flatMap((line) => line.match(/^data: (.*)$/)?.[1] ?? []);
    assert.ok(events.length > 10);
    for (const event of events) assert.deepEqual(loggedEvent.parse(JSON.parse(event)), JSON.parse(event));
    conforms({ ...(await head(buyer, "/v1/stream")), text: "" }, documented("get", "/v1/stream"));
  });

  async function head(agent: AgentProcess, path: string): Promise<Reply> {
    const response = await fetch(`http://${agent.settings.api.listen}${path}`);
    await response.body?.cancel();
    return { status: response.status, type: response.headers.get("content-type") ?? "", text: "" };
  }

  it("the command line shows the same: tables, and the reasons of the own order once it is revealed", async () => {
    const run = async (...args: readonly string[]) =>
      (await execa(process.execPath, [MAIN, ...args, "--config", buyer.configFile])).stdout;
    assert.match(await run("auctions"), new RegExp(`price ${PRICES.buyer}: maxPrice`));
    assert.match(await run("mesh"), /running/);
    assert.match(await run("leases"), /buyer pays/);
    assert.match(await run("mesh"), /unauthorised 3/);
    assert.match(await run("mesh"), /advertisements refused: badSignature 1/);
    const status = await run("status");
    for (const line of [
      "1 of 1 links up",
      "packets dropped: unauthorised 3",
      "advertisements refused: badSignature 1",
      "control messages refused: CONTROL_MALFORMED 1",
    ])
      assert.ok(status.includes(line), `${line} in ${status}`);
    assert.equal(JSON.parse(await run("status", "--json")).chain.reachable, true);
    assert.match(await run("reputation"), /score of 1,000,000/);
  });

  it("a meshd of another version is told in status, metrics and doctor", async () => {
    const mismatch = async () => (await read<StatusAnswer>(buyer, "/v1/status")).meshd.versionMismatch;
    assert.equal(await mismatch(), null);
    regions.ether.version = "9.9.9";
    await eventually("the next heartbeat", async () => (await mismatch()) ?? undefined);
    assert.match((await buyer.get("/metrics")).text, /^ephemesh_meshd_version_mismatch 1$/m);
    const run = (...args: readonly string[]) =>
      execa(process.execPath, [MAIN, ...args, "--config", buyer.configFile], { reject: false });
    assert.match((await run("status")).stdout, /meshd runs version 9\.9\.9/);
    assert.match((await run("doctor")).stdout, /meshd +│ FAULT +│ meshd runs version 9\.9\.9/);
    regions.ether.version = VERSION;
    await eventually("the same version again", async () => ((await mismatch()) === null ? true : undefined));
  });

  const doctor = async (settings: Record<string, unknown> = {}) => {
    const file = `${buyer.configFile}.doctor`;
    writeFileSync(file, stringify({ ...buyer.settings, ...settings }));
    const { stdout } = await execa(process.execPath, [MAIN, "doctor", "--json", "--config", file], { reject: false });
    const findings = JSON.parse(stdout) as { check: string; ok: boolean; found: string; fix: string }[];
    return Object.fromEntries(findings.map((finding) => [finding.check, finding]));
  };

  it("status and metrics show the RPC nodes and the age of the newest block", async () => {
    const { chain } = JSON.parse((await buyer.get("/v1/status")).text) as StatusAnswer;
    assert.deepEqual(
      chain.nodes.map(({ url, answering, problem }) => ({ url, answering, problem })),
      [{ url: regions.node.rpcUrl, answering: true, problem: null }],
    );
    assert.ok((chain.nodes[0]?.head ?? 0) >= chain.block && chain.block > 0);
    assert.ok(chain.headAgeSeconds !== null && chain.headAgeSeconds < 60, `${chain.headAgeSeconds}`);
    const { text } = await buyer.get("/metrics");
    assert.match(text, /^ephemesh_rpc_node_answering\{url="http:\/\/127\.0\.0\.1:\d+"\} 1$/m);
    assert.match(text, /^ephemesh_chain_head_age_seconds \d+$/m);
  });

  it("doctor passes chain, region, meshd and peers, and finds the fault of each", async () => {
    const good = await doctor();
    for (const check of ["configuration", "key agent", "journal", "chain", "region", "peers", "meshd"])
      assert.equal(good[check]?.ok, true, `${check}: ${good[check]?.found}`);
    const other = await doctor({
      region: "nowhere",
      keys: { ...buyer.settings.keys, agent: seller.settings.keys.agent },
      runDir: "/nonexistent",
    });
    assert.match(other.region!.found, /no region "nowhere"/);
    assert.match(other.meshd!.found, /does not answer/);
    const wrongKey = await doctor({ keys: { ...buyer.settings.keys, agent: seller.settings.keys.agent } });
    assert.match(wrongKey.region!.found, /is registered with/);
  });

  it("no key, token or salt was ever in a log, an argument, an answer or an event", async () => {
    const agents = { buyer, seller };
    const secrets: Record<string, string> = {};
    for (const [name, { token, settings }] of Object.entries(agents)) {
      secrets[`${name}'s token`] = token;
      secrets[`${name}'s agent key`] = readFileSync(settings.keys.agent, "utf8").trim().slice(2);
      secrets[`${name}'s routing key`] = readFileSync(settings.keys.routing, "utf8").split("\n")[1]!;
    }
    for (const agent of regions.agents) {
      const [prepared] = agent.journaled("OrderPrepared") as { order: { salt: string } }[];
      assert.ok(prepared, agent.name);
      secrets[`${agent.name}'s salt`] = prepared.order.salt.slice(2);
    }
    for (const [what, secret] of Object.entries(secrets)) assert.ok(secret.length >= 16, what);
    sampleArguments();
    const shown: Record<string, string> = { argv: [...argv].join("\n") };
    assert.match(shown.argv!, /doctor/, "sampled while the test before ran a child");
    for (const [name, agent] of Object.entries(agents)) {
      for (const { method, path, query } of ROUTES)
        if (method === "get" && path !== "/v1/stream")
          shown[`${name} ${path}`] = (
            await agent.get(`${path}${query?.all ? "?all=1" : query?.since ? "?since=0" : ""}`)
          ).text;
      shown[`${name} log`] = agent.log;
      shown[`${name} stream`] = streamed[name as keyof typeof streamed];
      for (const each of ["log", "stream", "/v1/events"])
        assert.ok(shown[`${name} ${each}`]!.length > 100, `${name} ${each}`);
      assert.match(shown[`${name} /v1/events`]!, /OrderPrepared/);
    }
    for (const [where, text] of Object.entries(shown)) {
      assert.ok(text.length > 0, where);
      for (const [what, secret] of Object.entries(secrets))
        assert.ok(!text.toLowerCase().includes(secret.toLowerCase()), `${what} in ${where}`);
    }
  });

  it("doctor finds peers and a chain that do not answer", async () => {
    await seller.stop();
    const { peers } = await doctor();
    assert.deepEqual([peers!.ok, /1 of 1 peers do not answer/.test(peers!.found)], [false, true], peers!.found);
    assert.notEqual(peers!.fix, "");
    const dead = "http://127.0.0.1:1";
    const { chain } = await doctor({ chain: { ...buyer.settings.chain, rpc: [dead] } });
    assert.deepEqual([chain!.ok, chain!.fix === ""], [false, false], chain!.found);
    const both = await doctor({ chain: { ...buyer.settings.chain, rpc: [dead, regions.node.rpcUrl] } });
    assert.deepEqual([both.chain?.ok, both["chain.rpc 1"]?.ok, both["chain.rpc 2"]?.ok], [true, false, true]);
    assert.ok(both["chain.rpc 1"]?.found.includes(dead), both["chain.rpc 1"]?.found);
  });
});
