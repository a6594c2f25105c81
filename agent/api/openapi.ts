/** The API's OpenAPI document, from the schemas that check requests and type the answers. */
import { z } from "zod";
import { triggerFields } from "../trigger/demand.ts";
import { downRequest, drainRequest } from "./requests.ts";
import {
  auctionAnswer,
  downAnswer,
  drainAnswer,
  dryRunAnswer,
  errorAnswer,
  healthAnswer,
  leaseAnswer,
  leaseReceipts,
  loggedEvent,
  meshAnswer,
  readinessAnswer,
  regionAnswer,
  scannedPeer,
  statusAnswer,
  triggerAnswer,
} from "./schemas.ts";

export interface Route {
  readonly method: "get" | "post";
  /** With parameters as `{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly request?: z.ZodType;
  /** By status; a text where the answer is not JSON. */
  readonly answers: Readonly<Record<number, readonly [description: string, body: z.ZodType | string]>>;
}

const ALL = { all: "Any value: include what ended more than a day ago." };
const SINCE = { since: "Only events after the one with this id." };
const REFUSED = {
  400: ["The request is not valid; nothing was changed.", errorAnswer],
  401: ["The operator's token is missing or wrong; nothing was changed.", errorAnswer],
  503: ["Not possible now; try again later.", errorAnswer],
} as const;
const NO_EVENT = ["The event cannot be started: no policy, too late, or the agent is draining.", errorAnswer] as const;

/** Every route of the server but this document's own. */
export const ROUTES: readonly Route[] = [
  {
    ...{ method: "get", path: "/healthz", summary: "Liveness" },
    answers: { 200: ["The process lives.", healthAnswer] },
  },
  {
    ...{ method: "get", path: "/readyz", summary: "Readiness" },
    answers: {
      200: ["The chain answers.", readinessAnswer],
      503: ["The chain does not answer.", readinessAnswer],
    },
  },
  {
    ...{ method: "get", path: "/metrics", summary: "Prometheus metrics" },
    answers: { 200: ["Metrics in Prometheus' text format.", "text/plain"] },
  },
  {
    ...{ method: "get", path: "/v1/status", summary: "Chain, links, meshes and counters of this region" },
    answers: { 200: ["The status.", statusAnswer] },
  },
  {
    ...{ method: "get", path: "/v1/auctions", summary: "Auctions, with their orders once revealed", query: ALL },
    answers: { 200: ["The auctions.", z.array(auctionAnswer)] },
  },
  {
    ...{ method: "get", path: "/v1/leases", summary: "Leases, last receipts and settlements", query: ALL },
    answers: { 200: ["The leases.", z.array(leaseAnswer)] },
  },
  {
    ...{
      method: "get",
      path: "/v1/receipts",
      summary: "All receipts that both sides signed, with the keys to check them",
    },
    answers: { 200: ["Receipts by lease.", z.array(leaseReceipts)] },
  },
  {
    ...{ method: "get", path: "/v1/meshes", query: ALL },
    summary: "Meshes: topology, measured links, routes with reasons, teardown records",
    answers: { 200: ["The meshes.", z.array(meshAnswer)] },
  },
  {
    ...{
      method: "get",
      path: "/v1/scan",
      summary: "Probes the regions that share a fabric; each exclusion has a reason",
    },
    answers: { 200: ["The other regions, nearest first.", z.array(scannedPeer)] },
  },
  {
    ...{ method: "get", path: "/v1/regions", summary: "The register of regions, with today's scores" },
    answers: { 200: ["The regions.", z.array(regionAnswer)], 500: ["The chain does not answer.", errorAnswer] },
  },
  {
    ...{ method: "get", path: "/v1/events", summary: "The last 2,000 events of this agent", query: SINCE },
    answers: { 200: ["The events, oldest first.", z.array(loggedEvent)] },
  },
  {
    ...{ method: "get", path: "/v1/stream", summary: "The same as server-sent events, as they happen", query: SINCE },
    answers: { 200: ["Each `data:` line holds one event as in /v1/events.", "text/event-stream"] },
  },
  {
    ...{ method: "post", path: "/v1/triggers", summary: "Starts an event; with dryRun shows what would happen" },
    request: z.strictObject({ ...triggerFields, dryRun: z.boolean().default(false) }),
    answers: {
      200: ["dryRun: nothing was started.", dryRunAnswer],
      202: ["The event was started.", triggerAnswer],
      ...REFUSED,
      409: NO_EVENT,
    },
  },
  {
    ...{
      method: "post",
      path: "/v1/triggers/{name}",
      summary: "Starts the event of a webhook (`triggers` in the configuration)",
    },
    request: z.strictObject(triggerFields).partial({ kind: true }),
    answers: {
      202: ["The event was started.", triggerAnswer],
      ...REFUSED,
      404: ["No webhook has this path.", errorAnswer],
      409: NO_EVENT,
    },
  },
  {
    ...{
      method: "post",
      path: "/v1/drain",
      summary: "Starts nothing new from now on; with draining: false, trades again",
    },
    request: drainRequest,
    answers: { 200: ["Done.", drainAnswer], ...REFUSED },
  },
  {
    ...{ method: "post", path: "/v1/down", summary: "Ends one event of this region, or all" },
    request: downRequest,
    answers: { 200: ["The events end.", downAnswer], ...REFUSED, 404: ["No such event runs.", errorAnswer] },
  },
];

const COMPONENTS: Readonly<Record<string, z.ZodType>> = {
  Error: errorAnswer,
  Status: statusAnswer,
  Auction: auctionAnswer,
  Lease: leaseAnswer,
  LeaseReceipts: leaseReceipts,
  Mesh: meshAnswer,
  Peer: scannedPeer,
  Region: regionAnswer,
  Event: loggedEvent,
  Triggered: triggerAnswer,
  DryRun: dryRunAnswer,
};

/** An OpenAPI 3.1 document, as JSON. */
export function openApiDocument(): unknown {
  return {
    openapi: "3.1.0",
    info: {
      title: "ephemesh agent",
      version: "1",
      description: "The API of one region's agent, on a loopback address. POST requests need the operator's token.",
    },
    paths: Object.fromEntries(
      [...Map.groupBy(ROUTES, ({ path }) => path)].map(([path, routes]) => [
        path,
        Object.fromEntries(routes.map((route) => [route.method, operation(route)])),
      ]),
    ),
    components: {
      schemas: Object.fromEntries(
        Object.entries(COMPONENTS).map(([name, schema]) => [name, jsonSchema(schema, "output")]),
      ),
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "The content of api.tokenFile." } },
    },
  };
}

function operation({ method, path, summary, query = {}, request, answers }: Route) {
  const parameter = (where: "query" | "path", name: string, description: string) => ({
    ...{ name, in: where, description, required: where === "path", schema: { type: "string" } },
  });
  return {
    summary,
    parameters: [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) =>
        parameter("path", name!, "Last part of the webhook's path."),
      ),
      ...Object.entries(query).map(([name, description]) => parameter("query", name, description)),
    ],
    ...(method === "post" && { security: [{ token: [] }] }),
    ...(request && {
      requestBody: { content: { "application/json": { schema: jsonSchema(request, "input") } } },
    }),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, [description, body]]) => [
        status,
        {
          description,
          content:
            typeof body === "string"
              ? { [body]: { schema: { type: "string" } } }
              : { "application/json": { schema: reference(body) } },
        },
      ]),
    ),
  };
}

function reference(schema: z.ZodType): unknown {
  if (schema instanceof z.ZodArray) return { type: "array", items: reference(schema.element as z.ZodType) };
  const name = Object.keys(COMPONENTS).find((component) => COMPONENTS[component] === schema);
  return name ? { $ref: `#/components/schemas/${name}` } : jsonSchema(schema, "output");
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
