import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { zeroHash } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { ControlClient } from "../../agent/control/client.ts";
import { type Envelope, LIFETIME_SECONDS, MESSAGE_LIMIT_BYTES, open, seal } from "../../agent/control/envelope.ts";
import { PeerVersions, PROTOCOL_VERSION } from "../../agent/control/protocol-version.ts";
import { RateLimit } from "../../agent/control/rate-limit.ts";
import { type ControlHandler, type ControlServerOptions, controlApp, listen } from "../../agent/control/server.ts";
import { EphemeshError } from "../../agent/model/errors.ts";
import { type RegionId, regionId } from "../../agent/model/ids.ts";

const us = regionId.parse(1);
const them = regionId.parse(2);
const ourKey = privateKeyToAccount(generatePrivateKey());
const theirKey = privateKeyToAccount(generatePrivateKey());
const domain = { chainId: 7357, membership: `0x${"11".repeat(20)}` } as const;
const agentKeyOf = (id: RegionId) => (id === us ? ourKey.address : id === them ? theirKey.address : null);

describe("control channel (loopback)", function () {
  this.timeout(60_000);
  let server: Server;
  let url: string;
  let handled: number;
  /** Warnings at the listening region, and at the asking one. */
  const ours: EphemeshError[] = [];
  const theirs: EphemeshError[] = [];
  let connection: Pick<Socket, "localAddress" | "remoteAddress"> | null;

  beforeEach(() => {
    ours.length = theirs.length = 0;
    return serve();
  });
  afterEach(() => stop());

  function noted(warnings: EphemeshError[]): PeerVersions {
    return new PeerVersions((warning) => void warnings.push(warning));
  }

  function stop(): void {
    server.closeAllConnections();
    server.close();
  }

  /** In the place of the one before; what comes seems to come between those ends. */
  async function serve(change: Partial<ControlServerOptions> = {}, ends: typeof connection = null): Promise<void> {
    if (server) stop();
    connection = ends;
    handled = 0;
    const echo: ControlHandler = async (from, subject, body) => {
      handled += 1;
      return { from, subject, body };
    };
    const refuses: ControlHandler = async () => {
      throw new EphemeshError("LINK_UNKNOWN", "There is no such link.", "Offer it later.");
    };
    const options = { self: us, domain, key: ourKey, agentKeyOf, handlers: { echo, refuses }, versions: noted(ours) };
    const app = controlApp({ ...options, enis: () => [], onRefused: () => undefined, ...change });
    const seeming: RequestListener = (request, response) => {
      for (const [name, value] of Object.entries(connection ?? {}))
        Object.defineProperty(request.socket, name, { value, configurable: true });
      app(request, response);
    };
    server = await listen(seeming, { host: "127.0.0.1", port: 0 });
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const client = () => new ControlClient(them, domain, theirKey, agentKeyOf, () => [], noted(theirs));
  const peer = () => ({ id: us, controlUrls: [url] });
  const failsWith = (code: string) => (error: unknown) => error instanceof EphemeshError && error.code === code;

  async function message(change: Partial<Envelope> = {}): Promise<Envelope> {
    return seal(
      {
        version: PROTOCOL_VERSION,
        from: them,
        to: us,
        subject: zeroHash,
        kind: "echo",
        nonce: `0x${"ab".repeat(16)}`,
        expiresAtSeconds: Math.floor(Date.now() / 1000) + LIFETIME_SECONDS,
        body: "{}",
        ...change,
      },
      domain,
      theirKey,
    );
  }

  async function post(body: string): Promise<{ status: number; code: string | undefined }> {
    const response = await fetch(`${url}/v1/control`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    return { status: response.status, code: ((await response.json()) as { code?: string }).code };
  }

  it("answers what was asked, with the sender and the subject as they were signed", async () => {
    const subject = `0x${"77".repeat(32)}` as const;
    assert.deepEqual(await client().ask(peer(), "echo", { a: 1 }, { subject }), {
      from: them,
      subject,
      body: { a: 1 },
    });
  });

  it("a handler's refusal comes back by its code, and a kind that is not known too", async () => {
    await assert.rejects(client().ask(peer(), "refuses", {}), failsWith("LINK_UNKNOWN"));
    await assert.rejects(client().ask(peer(), "made-up", {}), failsWith("CONTROL_UNKNOWN_KIND"));
  });

  it("inside an ENI only the region at its other end is answered, not another one that signed", async () => {
    const raw = JSON.stringify(await message());
    const ends = { localAddress: "fe80::11%eph1", remoteAddress: "fe80::22%eph1" };
    const end = { device: "eph1", ownAddress: "fe80::11", peerAddress: "fe80::22", peer: us };
    for (const enis of [[end], [{ ...end, peerAddress: "fe80::33", peer: them }], []]) {
      await serve({ enis: () => enis }, ends);
      assert.deepEqual(await post(raw), { status: 400, code: "CONTROL_NOT_ITS_LINK" });
      assert.equal(handled, 0);
    }
    await serve({ enis: () => [{ ...end, peer: them }] }, ends);
    assert.equal((await post(raw)).status, 200);
  });

  it("after a flood every address of the sender's /64 is refused, and no other address", async () => {
    const status = async (remoteAddress: string) => {
      connection = { localAddress: "2001:db8::1", remoteAddress };
      return (await post("{}")).status;
    };
    await serve({ byAddress: new RateLimit(0, 1) });
    const asked = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1", "::ffff:192.0.2.1", "192.0.2.1"];
    const statuses: number[] = [];
    for (const address of asked) statuses.push(await status(address));
    assert.deepEqual(statuses, [400, 429, 400, 400, 429]);
  });

  it("a replayed message is refused, and handled once", async () => {
    const raw = JSON.stringify(await message());
    assert.equal((await post(raw)).status, 200);
    assert.deepEqual(await post(raw), { status: 400, code: "CONTROL_REPLAY" });
    assert.equal(handled, 1);
  });

  it("copies of a region's message, however many, do not silence the region", async () => {
    await serve({ bySender: new RateLimit(0, 2) });
    const raw = JSON.stringify(await message());
    assert.equal((await post(raw)).status, 200);
    for (let copies = 0; copies < 3; copies++)
      assert.deepEqual(await post(raw), { status: 400, code: "CONTROL_REPLAY" });
    const another = async (digits: string) => JSON.stringify(await message({ nonce: `0x${digits.repeat(16)}` }));
    assert.equal((await post(await another("cd"))).status, 200);
    assert.deepEqual(await post(await another("ef")), { status: 429, code: "CONTROL_FLOOD" });
  });

  it("a giant body is refused, and so is what is not JSON; nothing is handled", async () => {
    assert.deepEqual(await post(JSON.stringify({ body: "x".repeat(MESSAGE_LIMIT_BYTES + 1) })), {
      status: 400,
      code: "CONTROL_MALFORMED",
    });
    assert.deepEqual(await post("{"), { status: 400, code: "CONTROL_MALFORMED" });
    assert.equal(handled, 0);
  });

  it("a body that never comes holds a connection for a bounded time, and nobody else up", async () => {
    const slow = connect((server.address() as AddressInfo).port, "127.0.0.1");
    slow.write(
      "POST /v1/control HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
    );
    slow.on("error", () => undefined).resume();
    const ended = once(slow, "close");
    assert.ok(await client().ask(peer(), "echo", {}));
    assert.ok(server.requestTimeout <= 5000 && server.headersTimeout <= 3000);
    slow.destroy();
    await ended;
  });

  it("a flood is dropped before any signature is looked at, and does not end the server", async () => {
    const wave = () => Promise.all(Array.from({ length: 100 }, () => post('{"not":"an envelope"}')));
    const answers: Awaited<ReturnType<typeof wave>> = [];
    // More than may come at once, however fast this machine is: until the bucket is empty.
    while (answers.length < 5000 && answers.every(({ status }) => status !== 429)) answers.push(...(await wave()));
    const dropped = answers.filter(({ status }) => status === 429);
    assert.ok(dropped.length > 0, `none of ${answers.length} was dropped`);
    assert.ok(dropped.every(({ code }) => code === "CONTROL_FLOOD"));
  });

  describe("a peer of another protocol version", () => {
    const versions = /Region 2 speaks version (1|3) of the control protocol, this region version 2\./;

    for (const version of [PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1])
      it(`${version}: its request is refused in a signed answer that names both versions, and warned of once`, async () => {
        for (const digits of ["ab", "cd"]) {
          const request = await message({ version, nonce: `0x${digits.repeat(16)}` });
          const response = await fetch(`${url}/v1/control`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(request),
          });
          const expected = { self: them, nowSeconds: Math.floor(Date.now() / 1000), agentKeyOf };
          const reply = await open(await response.json(), domain, expected);
          assert.equal(reply.version, PROTOCOL_VERSION);
          const { refused } = JSON.parse(reply.body) as { refused: { code: string; message: string } };
          assert.equal(refused.code, "CONTROL_VERSION");
          assert.match(refused.message, versions);
        }
        assert.equal(handled, 0);
        assert.deepEqual(
          ours.map(({ code }) => code),
          ["CONTROL_VERSION"],
        );
      });

    it("its own version draws no warning", async () => {
      await client().ask(peer(), "echo", {});
      assert.deepEqual([ours, theirs], [[], []]);
    });
  });

  describe("an answer that is not the peer's", () => {
    let liar: Server;
    let status: number;
    let reply: (request: Envelope) => Promise<Envelope | string>;

    beforeEach(async () => {
      status = 200;
      liar = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on("data", (chunk: Buffer) => chunks.push(chunk));
        request.on("end", async () => {
          const answer = await reply(JSON.parse(Buffer.concat(chunks).toString()) as Envelope);
          response
            .writeHead(status, { location: url })
            .end(typeof answer === "string" ? answer : JSON.stringify(answer));
        });
      }).listen(0, "127.0.0.1");
      await once(liar, "listening");
    });

    afterEach(() => {
      liar.closeAllConnections();
      liar.close();
    });

    const urlOfLiar = () => `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
    const ask = (kind = "echo", ...further: string[]) =>
      client().ask({ id: us, controlUrls: [urlOfLiar(), ...further] }, kind, {});
    const unreachableFor = (code: string) => (error: unknown) =>
      failsWith("PEER_UNREACHABLE")(error) &&
      (error as EphemeshError).retryable &&
      failsWith(code)((error as EphemeshError).cause);
    const answered = (request: Envelope, change: Partial<Envelope>, key = ourKey) =>
      seal(
        {
          version: PROTOCOL_VERSION,
          from: us,
          to: them,
          subject: request.subject,
          kind: "echo-reply",
          nonce: request.nonce,
          expiresAtSeconds: request.expiresAtSeconds,
          body: JSON.stringify({ body: {} }),
          ...change,
        },
        domain,
        key,
      );

    it("signed by a stranger", async () => {
      reply = (request) => answered(request, {}, privateKeyToAccount(generatePrivateKey()));
      await assert.rejects(ask(), unreachableFor("CONTROL_SIGNATURE"));
    });

    it("to another question", async () => {
      reply = (request) => answered(request, { nonce: `0x${"00".repeat(16)}` });
      await assert.rejects(ask(), unreachableFor("CONTROL_WRONG_REPLY"));
      reply = (request) => answered(request, { kind: "teardown-reply" });
      await assert.rejects(ask(), unreachableFor("CONTROL_WRONG_REPLY"));
    });

    it("of another protocol version: the search ends, the error names both versions and what to do, and is warned of once", async () => {
      reply = (request) => answered(request, { version: PROTOCOL_VERSION + 1, body: "{}" });
      const asking = client();
      for (let i = 0; i < 2; i++)
        await assert.rejects(
          asking.ask({ id: us, controlUrls: [urlOfLiar(), url] }, "echo", {}),
          (error: EphemeshError) =>
            error.code === "CONTROL_VERSION" &&
            /Region 1 speaks version 3 of the control protocol, this region version 2\./.test(error.message) &&
            error.remedy === "Update this agent.",
        );
      assert.equal(handled, 0);
      assert.equal(theirs.length, 1);
    });

    it("of another protocol version and signed by a stranger: the next address is tried, and nothing is warned of", async () => {
      reply = (request) => answered(request, { version: PROTOCOL_VERSION + 1 }, theirKey);
      assert.ok(await ask("echo", url));
      assert.deepEqual(theirs, []);
    });

    it("endless", async () => {
      reply = async () => "x".repeat(MESSAGE_LIMIT_BYTES + 1);
      await assert.rejects(ask(), unreachableFor("CONTROL_TOO_LARGE"));
    });

    for (const [what, answer] of [
      ["a page that was not found", [404, "not found"]],
      ["a page", [200, "<html>"]],
      ["a redirection", [302, ""]],
      ["a refusal that nobody signed", [400, '{"code":"LEASE_REVOKED","message":"go away"}']],
      ["a refusal in an envelope by a stranger", [200, null]],
    ] as const) {
      it(`${what}: the next address is tried, and the code is never the impostor's`, async () => {
        const [code, text] = answer;
        const refusal = { body: JSON.stringify({ refused: { code: "LEASE_REVOKED", message: "go away" } }) };
        status = code;
        reply = async (request) => text ?? answered(request, refusal, theirKey);
        assert.ok(await ask("echo", url));
        assert.equal(handled, 1);
        await assert.rejects(ask(), failsWith("PEER_UNREACHABLE"));
      });
    }

    it("the peer's own refusal ends the search: no further address is tried", async () => {
      reply = (request) =>
        answered(request, { body: JSON.stringify({ refused: { code: "LINK_UNKNOWN", message: "no" } }) });
      await assert.rejects(ask("echo", url), failsWith("LINK_UNKNOWN"));
      assert.equal(handled, 0);
    });
  });

  it("a peer that does not answer is an outage that may pass, not a refusal", async () => {
    const free = createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, "close");
    await assert.rejects(
      client().ask({ id: us, controlUrls: [`http://127.0.0.1:${port}`] }, "echo", {}),
      (error) => error instanceof EphemeshError && error.code === "PEER_UNREACHABLE" && error.retryable,
    );
    // Its next URL is tried, and kept.
    const twoWays = { id: us, controlUrls: [`http://127.0.0.1:${port}`, url] };
    assert.ok(await client().ask(twoWays, "echo", {}));
  });
});
