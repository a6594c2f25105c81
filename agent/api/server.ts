/** The operator's API: REST on loopback, server-sent events, Prometheus metrics, health. Each change needs the token. */
import { timingSafeEqual } from "node:crypto";
import { createServer, type Server } from "node:http";
import express, { type NextFunction, type Request, type Response } from "express";
import { z } from "zod";
import type { Config } from "../config.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { scanPeers } from "../coordinator/handlers/scan.ts";
import { isRecent, phaseOf } from "../coordinator/mesh.ts";
import { chainNow, type Site } from "../coordinator/site.ts";
import { EphemeshError } from "../model/errors.ts";
import { hostAndPort } from "../model/listen-address.ts";
import { describeProblems, triggerRequest } from "../trigger/demand.ts";
import type { EventLog } from "./event-log.ts";
import { agentMetrics } from "./metrics.ts";
import { receiptsView } from "./receipts.ts";
import { downRequest, drainRequest, refuseOtherBodies } from "./requests.ts";
import type { DownAnswer, drainAnswer, ErrorAnswer, RegionAnswer } from "./schemas.ts";
import { operatorToken } from "./token.ts";
import { dryRun, startEvent } from "./trigger.ts";
import { auctionView, leaseView, meshView, statusView } from "./views.ts";

export interface ApiSources {
  readonly site: Site;
  readonly coordinator: Coordinator;
  readonly events: EventLog;
  /** Control messages that were refused, by code. */
  readonly refusedMessages: ReadonlyMap<string, number>;
}

/** @throws EphemeshError TOKEN_WEAK, API_LISTEN, and those of `readSecret` */
export async function listenApi(settings: NonNullable<Config["api"]>, sources: ApiSources): Promise<Server> {
  const app = apiApp(operatorToken(settings.tokenFile), sources);
  const { host, port } = hostAndPort(settings.listen);
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5000 }, app);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        new EphemeshError(
          "API_LISTEN",
          `The API cannot listen on ${settings.listen}: ${cause.message}.`,
          "Choose another api.listen, or stop the process that uses it.",
          { cause },
        ),
      ),
    );
    server.listen(port, host, resolve);
  });
  return server;
}

/** @param token every request other than GET must carry it */
function apiApp(token: Buffer, { site, coordinator, events, refusedMessages }: ApiSources): express.Express {
  const app = express();
  app.disable("x-powered-by");
  app.use((request, _, next) => {
    const given = Buffer.from(request.headers.authorization?.replace(/^Bearer /, "") ?? "");
    if (["GET", "HEAD"].includes(request.method) || (given.length === token.length && timingSafeEqual(given, token)))
      return next();
    throw new EphemeshError(
      "NOT_AUTHORISED",
      "The operator's token is missing or wrong. Nothing was changed.",
      "Send `Authorization: Bearer TOKEN` with the content of api.tokenFile.",
    );
  });
  app.use(express.json({ limit: "16kb" }), refuseOtherBodies);
  /** Without `?all=1` only those that run or ended within a day. */
  const meshes = (request: Request) =>
    [...coordinator.world.meshes.values()].filter(
      (mesh) => request.query.all !== undefined || !site.clock.isSet || isRecent(mesh, chainNow(site)),
    );
  const metrics = agentMetrics(site, coordinator, refusedMessages);

  app.get("/healthz", (_, response) => void response.json({ live: true }));
  app.get("/readyz", (_, response) => {
    const ready = coordinator.chainReachable && site.clock.isSet;
    response.status(ready ? 200 : 503).json({ ready, chain: coordinator.chainReachable });
  });
  app.get("/metrics", async (_, response) => void response.type(metrics.contentType).send(await metrics.metrics()));
  app.get(
    "/v1/openapi.json",
    async (_, response) => void response.json((await import("./openapi.ts")).openApiDocument()),
  );
  app.get("/v1/status", (_, response) => void response.json(statusView(site, coordinator, refusedMessages)));
  app.get(
    "/v1/auctions",
    (request, response) =>
      void response.json(
        meshes(request).flatMap((mesh) => mesh.auctions.map((auction) => auctionView(site, mesh, auction))),
      ),
  );
  app.get(
    "/v1/leases",
    (request, response) => void response.json(meshes(request).flatMap((mesh) => leaseView(site, mesh))),
  );
  app.get("/v1/receipts", (_, response) => void response.json(receiptsView(site)));
  app.get(
    "/v1/meshes",
    (request, response) =>
      void response.json(meshes(request).map((mesh) => meshView(site, mesh, coordinator.telemetry))),
  );
  app.get("/v1/scan", async (_, response) => void response.json(await scanPeers(site)));
  app.get("/v1/regions", async (_, response) => void response.json(await regionsView(site)));
  app.get("/v1/events", (request, response) => void response.json(events.since(Number(request.query.since ?? 0) || 0)));
  app.get("/v1/stream", (request, response) => streamEvents(request, response, events));

  app.post("/v1/triggers", async (request, response) => {
    const { dryRun: isDry, ...body } = z.looseObject({ dryRun: z.boolean().default(false) }).parse(request.body ?? {});
    const parsed = triggerRequest.parse(body);
    if (isDry) response.json(await dryRun(site, coordinator, parsed));
    else response.status(202).json(startEvent(site, coordinator, parsed));
  });
  app.post("/v1/triggers/:name", (request, response, next) => {
    const webhook = site.config.triggers.find(({ path }) => path === request.path);
    if (!webhook) return next();
    const parsed = triggerRequest.parse({
      reason: `webhook ${webhook.path}`,
      ...(request.body ?? {}),
      kind: webhook.event,
    });
    response.status(202).json(startEvent(site, coordinator, parsed));
  });
  app.post("/v1/drain", (request, response) => {
    const { draining } = drainRequest.parse(request.body ?? {});
    if (draining !== coordinator.draining) site.dispatch({ type: "Draining", draining });
    response.json({ draining } satisfies z.infer<typeof drainAnswer>);
  });
  app.post("/v1/down", (request, response) => {
    const { key } = downRequest.parse(request.body ?? {});
    response.json({ ending: endEvents(site, coordinator, key) } satisfies DownAnswer);
  });
  app.use((request) => {
    throw new EphemeshError(
      "NOT_FOUND",
      `The API has no ${request.method} ${request.path}. Nothing was changed.`,
      "/v1/openapi.json describes every path; webhooks are in `triggers` in the configuration.",
    );
  });
  app.use((error: unknown, _: Request, response: Response, _next: NextFunction) => {
    const { status, ...body } = errorOf(error);
    if (!response.headersSent) response.status(status).json(body satisfies ErrorAnswer);
  });
  return app;
}

/**
 * Ends events of this region: leases are released, links removed, deliveries settled.
 * @param key the event's key or its mesh's number; undefined: all
 * @returns the keys of the events that end
 * @throws EphemeshError UNKNOWN_EVENT
 */
function endEvents(site: Site, coordinator: Coordinator, key: string | undefined): string[] {
  const now = chainNow(site);
  const open = [...coordinator.world.meshes.values()].filter(
    (mesh) =>
      mesh.event &&
      !mesh.resolved &&
      !["over", "settling"].includes(phaseOf(mesh, site.self, now)) &&
      (key === undefined || mesh.key === key || String(mesh.id) === key),
  );
  if (key !== undefined && open.length === 0)
    throw new EphemeshError(
      "UNKNOWN_EVENT",
      `This region has no running event "${key}". Nothing was changed.`,
      "`ephemesh mesh` lists the events.",
    );
  for (const mesh of open)
    site.dispatch({ type: "EventResolved", mesh: mesh.key, reason: "ended by the operator", atSeconds: now });
  return open.map((mesh) => mesh.key);
}

async function regionsView(site: Site): Promise<RegionAnswer[]> {
  return Promise.all(
    [...site.regions().values()].map(async (region) => ({
      id: region.id,
      name: region.name,
      active: region.active,
      prefixes: [...region.prefixes],
      fabrics: [...region.fabrics],
      score: await site.chain.score(region.id),
    })),
  );
}

function streamEvents(request: Request, response: Response, events: EventLog): void {
  response.set({ "content-type": "text/event-stream", "cache-control": "no-store" }).flushHeaders();
  const send = (entry: { id: number }) => void response.write(`id: ${entry.id}\ndata: ${JSON.stringify(entry)}\n\n`);
  events.since(Number(request.headers["last-event-id"] ?? request.query.since ?? 0) || 0).forEach(send);
  const stop = events.subscribe(send);
  request.on("close", stop);
}

const STATUS: Readonly<Record<string, number>> = {
  REQUEST_INVALID: 400,
  NOT_AUTHORISED: 401,
  UNKNOWN_EVENT: 404,
  NOT_FOUND: 404,
};

function errorOf(error: unknown): ErrorAnswer & { readonly status: number } {
  if (error instanceof z.ZodError)
    return {
      status: 400,
      code: "REQUEST_INVALID",
      message: `Invalid request: ${describeProblems(error)}. Nothing was changed.`,
      remedy: "/v1/openapi.json describes every request.",
    };
  if (error instanceof EphemeshError) {
    const status = STATUS[error.code] ?? (error.retryable ? 503 : 409);
    return { status, code: error.code, message: error.message, remedy: error.remedy };
  }
  const { status = 500 } = error as { status?: number };
  const reason = error instanceof Error ? error.message : String(error);
  if (status < 500)
    return {
      status,
      code: "REQUEST_INVALID",
      message: `The request cannot be read: ${reason}. Nothing was changed.`,
      remedy: "/v1/openapi.json describes every request.",
    };
  return {
    status,
    code: "UNEXPECTED",
    message: `The agent failed: ${reason}`,
    remedy: "Please report this with the agent's log.",
  };
}
