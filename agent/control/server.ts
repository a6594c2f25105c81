/** The control channel's listening side: bounded, rate-limited, signed both ways. Decides nothing: handlers do. */
import { createServer, type RequestListener, type Server } from "node:http";
import express, { type NextFunction, type Request, type Response } from "express";
import type { Hex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { EniEnd } from "../model/eni.ts";
import { EphemeshError } from "../model/errors.ts";
import type { RegionId } from "../model/ids.ts";
import { type ControlDomain, type Envelope, LIFETIME_SECONDS, MESSAGE_LIMIT_BYTES, open, seal } from "./envelope.ts";
import { type PeerVersions, PROTOCOL_VERSION } from "./protocol-version.ts";
import { RateLimit, ReplayGuard } from "./rate-limit.ts";
import { senderOf } from "./sender-address.ts";

export type ControlHandler = (from: RegionId, subject: Hex, body: unknown) => Promise<unknown>;

export interface ControlServerOptions {
  readonly self: RegionId;
  readonly domain: ControlDomain;
  readonly key: PrivateKeyAccount;
  readonly agentKeyOf: (region: RegionId) => Hex | null;
  readonly handlers: Readonly<Record<string, ControlHandler>>;
  readonly versions: PeerVersions;
  /** The ENIs (ephemeral network interfaces) that are up: inside one only the region at its other end is answered. */
  readonly enis: () => readonly EniEnd[];
  readonly onRefused: (remoteAddress: string, error: EphemeshError) => void;
  /** Before any signature is checked. Agents talk a few messages a second at most. */
  readonly byAddress?: RateLimit;
  readonly bySender?: RateLimit;
}

/** Serves every address that it listens on, with one memory of nonces. */
export function controlApp(options: ControlServerOptions): RequestListener {
  const { byAddress = new RateLimit(100, 300), bySender = new RateLimit(50, 200) } = options;
  const replays = new ReplayGuard();

  const app = express();
  app.disable("x-powered-by");
  app.use((request, response, next) => {
    if (byAddress.take(senderOf(request.socket, options.enis()).address, performance.now())) return next();
    const { code, message } = new EphemeshError(
      "CONTROL_FLOOD",
      "Too many messages from this address; they are dropped for a while.",
      "Send fewer messages; they are answered again after a second.",
      { retryable: true },
    );
    response.status(429).json({ code, message });
  });
  app.get("/v1/ping", (_, response) => {
    response.status(204).end();
  });
  app.post("/v1/control", express.json({ limit: MESSAGE_LIMIT_BYTES, strict: true }), async (request, response) => {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const message = await open(request.body, options.domain, {
      self: options.self,
      nowSeconds,
      agentKeyOf: options.agentKeyOf,
    });
    const { eniPeer } = senderOf(request.socket, options.enis());
    if (eniPeer !== null && eniPeer !== message.from)
      throw new EphemeshError(
        "CONTROL_NOT_ITS_LINK",
        `Region ${message.from} sent a message through the ENI of ${eniPeer === "unknown" ? "an unknown region" : `region ${eniPeer}`}. It was dropped.`,
        "The peer tries its other ways to this agent; if it repeats, check the routes of that region's link-local addresses.",
      );
    // Before the rate limit by sender: otherwise copies of a message could silence its sender.
    const nonce = `${message.from}:${message.nonce}`;
    if (replays.hasSeen(nonce, nowSeconds))
      throw new EphemeshError(
        "CONTROL_REPLAY",
        "The message was received before. It was dropped.",
        "Send a new message with a nonce of its own.",
      );
    if (!bySender.take(String(message.from), performance.now()))
      throw new EphemeshError(
        "CONTROL_FLOOD",
        `Region ${message.from} sends too much. The message was dropped.`,
        "Send fewer messages; they are answered again after a second.",
        { retryable: true },
      );
    replays.remember(nonce, message.expiresAtSeconds, nowSeconds);
    response.json(await answer(message, options));
  });
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    const refusal = asRefusal(error);
    options.onRefused(request.socket.remoteAddress ?? "?", refusal);
    if (!response.headersSent)
      response
        .status(refusal.code === "CONTROL_FLOOD" ? 429 : 400)
        .json({ code: refusal.code, message: refusal.message });
  });

  return app;
}

/** @throws Error where the address cannot be listened on */
export async function listen(app: RequestListener, address: { host: string; port: number }): Promise<Server> {
  const server = createServer(
    { requestTimeout: 5000, headersTimeout: 3000, keepAliveTimeout: 30_000, maxHeaderSize: 8192 },
    app,
  );
  server.maxConnections = 512;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, resolve);
  });
  return server;
}

/** The signed reply, or a signed refusal. */
async function answer(request: Envelope, options: ControlServerOptions): Promise<Envelope> {
  const result = await perform(request, options).then(
    (body) => ({ body }),
    (error: unknown) => ({ refused: { code: asRefusal(error).code, message: asRefusal(error).message } }),
  );
  return seal(
    {
      version: PROTOCOL_VERSION,
      from: options.self,
      to: request.from,
      subject: request.subject,
      kind: `${request.kind}-reply`,
      nonce: request.nonce,
      expiresAtSeconds: Math.floor(Date.now() / 1000) + LIFETIME_SECONDS,
      body: JSON.stringify(result),
    },
    options.domain,
    options.key,
  );
}

async function perform(request: Envelope, { versions, handlers }: ControlServerOptions): Promise<unknown> {
  const refusal = versions.note(request.from, request.version);
  if (refusal) throw refusal;
  const handler = handlers[request.kind];
  if (!handler)
    throw new EphemeshError(
      "CONTROL_UNKNOWN_KIND",
      `This agent does not know "${request.kind}". The message was dropped.`,
      "Update the older of the two agents.",
    );
  return handler(request.from, request.subject as Hex, JSON.parse(request.body));
}

function asRefusal(error: unknown): EphemeshError {
  if (error instanceof EphemeshError) return error;
  const type = (error as { type?: string }).type ?? "";
  if (type.startsWith("entity."))
    return new EphemeshError(
      "CONTROL_MALFORMED",
      `The message cannot be read (${type}). It was dropped.`,
      `Send one JSON object of at most ${MESSAGE_LIMIT_BYTES} bytes.`,
    );
  const reason = error instanceof Error ? error.message : String(error);
  return new EphemeshError(
    "CONTROL_FAILED",
    `The message could not be answered: ${reason}`,
    "Please report this with the log of the agent that was asked.",
  );
}
