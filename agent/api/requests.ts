/** Bodies of the requests that change something; that of /v1/triggers is in trigger/demand.ts. */
import type { NextFunction, Request, Response } from "express";
import { z } from "zod";
import { EphemeshError } from "../model/errors.ts";

export const drainRequest = z.strictObject({
  draining: z.boolean().default(true).describe("Whether the agent drains; false: it trades again."),
});

export const downRequest = z.strictObject({
  key: z.string().max(80).optional().describe("Key of the event, or number of its mesh. Absent: all of this region."),
});

/**
 * Express ignores a body of another type, so that "stop draining", sent as a form, would start it.
 * @throws EphemeshError REQUEST_INVALID
 */
export function refuseOtherBodies(request: Request, _: Response, next: NextFunction): void {
  const hasBody =
    request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
  if (hasBody && request.body === undefined)
    throw new EphemeshError(
      "REQUEST_INVALID",
      "The request has a body that is not JSON. Nothing was changed.",
      "Send JSON with `content-type: application/json`.",
    );
  next();
}
