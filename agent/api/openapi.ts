/** The API's description, from the schemas that check its requests. */
import { extendZodWithOpenApi, OpenAPIRegistry, OpenApiGeneratorV31 } from "@asteasolutions/zod-to-openapi";
import { z } from "zod";
import { triggerRequest } from "../trigger/demand.ts";
import { downRequest, drainRequest } from "./requests.ts";

extendZodWithOpenApi(z);

const READS: readonly (readonly [path: string, summary: string])[] = [
  ["/healthz", "200 while the process lives"],
  ["/readyz", "200 while the chain can be reached; 503 otherwise"],
  ["/metrics", "Prometheus metrics"],
  ["/v1/status", "This region at a glance"],
  ["/v1/auctions", "Auctions seen, with their orders as far as they are public"],
  ["/v1/leases", "Leases, receipts and settlements"],
  ["/v1/receipts", "Every receipt that both sides signed, with the keys by which it can be checked"],
  ["/v1/meshes", "Meshes: topology, links as measured, routes with reasons, teardown records"],
  ["/v1/scan", "Probes the regions that share a fabric; a reason for each exclusion"],
  ["/v1/regions", "The register with today's scores"],
  ["/v1/events", "What happened, after ?since=ID"],
  ["/v1/stream", "The same as server-sent events"],
];

export function openApiDocument(): unknown {
  const registry = new OpenAPIRegistry();
  const token = registry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  for (const [path, summary] of READS)
    registry.registerPath({ method: "get", path, summary, responses: { 200: { description: "as said" } } });
  const write = (path: string, summary: string, schema: z.ZodType) =>
    registry.registerPath({
      method: "post",
      path,
      summary,
      security: [{ [token.name]: [] }],
      request: { body: { content: { "application/json": { schema } } } },
      responses: {
        200: { description: "done" },
        400: { description: "the request is not of this form" },
        401: { description: "no token" },
      },
    });
  write(
    "/v1/triggers",
    "Starts an event; with dryRun tells what would happen",
    z.object({ ...triggerRequest.shape, dryRun: z.boolean().optional() }),
  );
  write("/v1/drain", "Starts nothing new from here on; with draining false takes part again", drainRequest);
  write("/v1/down", "Ends one event, or all that this region triggered", downRequest);
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: "3.1.0",
    info: { title: "ephemesh agent", version: "1", description: "Loopback API of one region's agent." },
  });
}
